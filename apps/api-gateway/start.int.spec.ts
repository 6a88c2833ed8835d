import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { toProblem } from '#api/problem.js';
import { API_BASE } from '#api/route.js';
import { ConfigError, readConfig } from '#boot/config.js';
import { ContentStoreFull } from '#content/content-store.js';
import { Api } from '../../test/support/api.js';
import { tarGz } from '../../test/support/archives.js';
import { TestGateway } from '../../test/support/gateway.js';
import { apiGatewayConfig } from './api-gateway.config.js';
import { isolation } from './isolation.js';
import { problemFor } from './problem.filter.js';

jest.setTimeout(60_000);

describe('the configuration', () => {
  const least = { HOSTPLANE_API_GATEWAY_DATABASE_URL: 'postgres://a@b/c', HOSTPLANE_API_GATEWAY_NATS_URL: 'nats://a' };
  it('has a default for what need not be said', () => {
    expect(readConfig(apiGatewayConfig, least)).toMatchObject({ HOSTPLANE_API_PORT: 7080, HOSTPLANE_BIND: '127.0.0.1', HOSTPLANE_BASE_DOMAIN: 'localhost', HOSTPLANE_DATA: expect.stringMatching(/^\/.*\.hostplane$/) });
  });
  it('names what is wrong, and hides a secret', () => {
    const wrong = () => readConfig(apiGatewayConfig, { ...least, HOSTPLANE_API_PORT: '99999', HOSTPLANE_ADMIN_TOKEN: 'planted-value' });
    expect(wrong).toThrow(ConfigError);
    expect(wrong).toThrow(/HOSTPLANE_API_PORT is "99999".*\n.*HOSTPLANE_ADMIN_TOKEN/);
    expect(wrong).not.toThrow(/planted-value/);
  });
});

describe('what is not the caller\'s fault', () => {
  it.each([
    ['a full disk', new ContentStoreFull('The disk is full.'), 507],
    ['somebody who does not answer', Object.assign(new Error('away'), { retryable: true }), 503],
    ['a database that goes down', Object.assign(new Error('shutdown'), { code: '57P01' }), 503],
    ['a fault of ours', new Error('planted-value'), 500],
  ] as const)('%s is told without its internals', (_, error, status) => {
    expect(toProblem(problemFor(error), 'r')).toMatchObject({ status, detail: expect.not.stringContaining('planted-value') });
  });
});

describe('the isolation from an engine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-socket-'));
  const [engine, nobody] = [join(folder, 'engine.sock'), join(folder, 'nobody.sock')];
  const server = createServer();
  beforeAll(() => once(server.listen(engine), 'listening'));
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('is found out by trying, and not believed', async () => {
    expect(await isolation('masked', [nobody])).toBe('masked');
    await expect(isolation('masked', [nobody, engine])).rejects.toThrow(`${engine} can be connected to, although it was to be masked.`);
  });
  it('is said not to be where it could not be made', async () => {
    expect(await isolation('not possible: no rights', [nobody, engine])).toBe(`not possible: no rights (${engine} can be connected to)`);
    expect(await isolation('not possible: no rights', [nobody])).toBe('not possible: no rights');
    expect(await isolation(undefined, [engine])).toBe(`not masked (${engine} can be connected to)`);
  });
});

describe('a gateway without a token in its configuration', () => {
  let gateway: TestGateway;
  let printed = '';
  beforeAll(async () => {
    const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += String(text)), true));
    gateway = await TestGateway.start({ HOSTPLANE_ADMIN_TOKEN: '', HOSTPLANE_REQUESTS_PER_MINUTE: '12' });
    write.mockRestore();
  });
  afterAll(() => gateway?.stop());

  it('makes one, prints it once, and says it nowhere else', async () => {
    const [token] = /hp_[A-Za-z0-9_-]{43}/.exec(printed) ?? [];
    const admin = new Api(gateway.url + API_BASE, token!);
    expect((await admin.call('GET', '/session')).body).toMatchObject({ owner: 'admin', scopes: ['read', 'write', 'admin'] });
    expect(gateway.log.join('')).not.toContain(token);
  });
  it('limits how much one may ask for', async () => {
    const stranger = new Api(gateway.url + API_BASE, `hp_${randomBytes(32).toString('base64url')}`);
    const replies = [];
    for (let n = 0; n < 14; n++) replies.push(await stranger.call('GET', '/sites'));
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([401, 429]));
    const last = replies.at(-1)!;
    expect(last.body).toMatchObject({ code: 'rate-limited', status: 429 });
    expect([last.headers.get('content-type'), Number(last.headers.get('retry-after'))]).toEqual([expect.stringContaining('application/problem+json'), expect.any(Number)]);
    expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
  });
});

describe('a gateway that stops', () => {
  it('answers who waits for an upload with how far it has come', async () => {
    const gateway = await TestGateway.start();
    const admin = new Api(gateway.url + API_BASE, gateway.adminToken);
    const { body: site } = await admin.call('POST', '/sites', { name: 'slow', kind: 'static' });
    gateway.lifecycle.isEager = false;
    const upload = admin.call('PUT', `/sites/${String(site['id'])}/content`, await tarGz({ 'index.html': 'x' }));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await gateway.stop();
    expect(await upload).toMatchObject({ status: 202, body: { kind: 'publish-release' } });
  });
});
