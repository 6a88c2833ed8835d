import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiClient } from './client.js';
import { ProblemError, toProblem } from './problem.js';

let server: Server;
let asked: { readonly line: string; readonly key: string | undefined }[] = [];
let isCut = false;
const client = () => new ApiClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'hp_x', retries: 1 });

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push({ line: `${request.method} ${request.url}`, key: request.headers['idempotency-key'] as string | undefined });
    if (isCut) return void request.socket.destroy();
    response.writeHead(503, { 'content-type': 'application/problem+json' }).end(JSON.stringify(toProblem(new ProblemError('unavailable', 'Not now.'), 'r')));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});
afterAll(() => void server.close());
beforeEach(() => void (asked = []));

describe.each([['that is not available', false], ['that hangs up', true]])('a plane %s', (_, cut) => {
  beforeEach(() => void (isCut = cut));
  it('is asked again for what only reads, and with the same key for what it does once a key', async () => {
    await expect(client().call('listSites', {})).rejects.toThrow();
    await expect(client().call('stopSite', { params: { id: 's' } })).rejects.toThrow();
    expect(asked.map(({ line }) => line)).toEqual([...Array<string>(2).fill('GET /api/v1/sites'), ...Array<string>(2).fill('POST /api/v1/sites/s/stop')]);
    expect([asked[2]?.key, asked[3]?.key]).toEqual([expect.any(String), asked[2]?.key]);
  });
  it('is asked once for what it would do each time', async () => {
    await expect(client().call('runWordPress', { params: { id: 's' }, body: { arguments: ['post', 'create'] } })).rejects.toThrow(cut ? /may have been carried out/ : 'Not now.');
    expect(asked).toHaveLength(1);
  });
});
