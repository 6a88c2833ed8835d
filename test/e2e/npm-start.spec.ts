import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../infra/start/ports.js';
import { identityOf } from '../../infra/start/processes.js';
import { Api, visit, type SiteView } from '../support/api.js';

const ROOT = join(import.meta.dirname, '../..');
const home = mkdtempSync(join(tmpdir(), 'hostplane-home-'));
const data = join(home, 'data');
const TOKEN = /hp_[\w-]{43}/;
let env: NodeJS.ProcessEnv;
let url: string;
let site: string;
const launchers: ChildProcess[] = [];

beforeAll(async () => {
  chmodSync(home, 0o711);
  const [api, http, https] = await Promise.all([freePort(), freePort(), freePort()]);
  url = `http://127.0.0.1:${api}`;
  site = `http://hello.localhost:${http}/`;
  const ports = { HOSTPLANE_API_PORT: String(api), HOSTPLANE_EDGE_HTTP_PORT: String(http), HOSTPLANE_EDGE_HTTPS_PORT: String(https) };
  env = { PATH: process.env['PATH'], HOME: home, HOSTPLANE_NATS_SERVER: process.env['HOSTPLANE_NATS_SERVER'], HOSTPLANE_DATA: data, ...ports };
});
afterAll(async () => {
  for (const launcher of launchers) if (launcher.exitCode === null && launcher.signalCode === null) await stop(launcher, 'SIGINT');
  rmSync(home, { recursive: true, force: true });
});

interface Launch {
  readonly process: ChildProcess;
  output(): string;
}

/** What `npm start` runs, until it says that it is done or ends. */
async function start(): Promise<Launch> {
  const launcher = spawn('node', ['infra/start/start.mjs'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  launchers.push(launcher);
  let output = '';
  for (const pipe of [launcher.stdout, launcher.stderr]) pipe.on('data', (data: Buffer) => (output += data.toString()));
  while (!output.includes('Ctrl-C stops everything') && launcher.exitCode === null) await sleep(20);
  return { process: launcher, output: () => output };
}

async function stop(launcher: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(launcher, 'exit');
  launcher.kill(signal);
  return ((await ended) as [number | null])[0];
}

/** The processes that the launcher started, as it wrote them down. */
function daemons(): number[] {
  const names = ['postgres', 'nats', 'control-plane', 'provisioner'];
  return names.map((name) => (JSON.parse(readFileSync(join(data, 'run', `${name}.json`), 'utf8')) as { pid: number }).pid);
}

describe('npm start', () => {
  it('puts the example site live, signs the CLI in, and stops cleanly at Ctrl-C', async () => {
    const first = await start();
    expect(first.output()).toMatch(/site hello +live at .*hello\.localhost/);
    expect(first.output()).toMatch(/SiteActivated/);
    expect((await visit(site)).body).toContain('This site is live.');
    const token = TOKEN.exec(first.output())![0];
    expect(JSON.parse(readFileSync(join(home, '.config/hostplane/credentials.json'), 'utf8'))).toEqual({ contexts: { [url]: { token } }, current: url });
    const pids = daemons();
    expect(pids.filter((pid) => !identityOf(pid))).toEqual([]);
    expect(await stop(first.process, 'SIGINT')).toBe(0);
    expect(pids.filter((pid) => identityOf(pid))).toEqual([]);
    await expect(visit(site)).rejects.toThrow();
    expect(existsSync(join(data, 'launcher.lock'))).toBe(false);
  });

  it('brings everything back, and shows no token a second time', async () => {
    const second = await start();
    expect(second.output()).toMatch(/site hello +still there/);
    expect(second.output()).not.toMatch(TOKEN);
    expect((await visit(site)).body).toContain('This site is live.');
  });

  it('is refused on a data folder that is in use', async () => {
    const other = await start();
    expect(other.process.exitCode).toBe(1);
    expect(other.output()).toMatch(/is in use: Hostplane runs with it already \(pid \d+\)/);
  });

  it('leaves nothing running when the launcher is killed, and starts again', async () => {
    const pids = daemons();
    await stop(launchers[1]!, 'SIGKILL');
    for (const deadline = Date.now() + 15_000; pids.some((pid) => identityOf(pid)) && Date.now() < deadline; ) await sleep(50);
    expect(pids.filter((pid) => identityOf(pid))).toEqual([]);
    const again = await start();
    expect(again.output()).toMatch(/site hello +still there/);
  });

  it('does not make the example site again once it was deleted', async () => {
    const token = (JSON.parse(readFileSync(join(home, '.config/hostplane/credentials.json'), 'utf8')) as { contexts: Record<string, { token: string }> }).contexts[url]!.token;
    const api = new Api(`${url}/api/v1`, token);
    const { body } = await api.call<SiteView>('GET', '/sites/hello');
    expect((await api.call('DELETE', '/sites/hello')).status).toBe(202);
    await api.settled(body.id, ['DESTROYED']);
    await stop(launchers.at(-1)!, 'SIGINT');
    const last = await start();
    expect(last.output()).not.toMatch(/site hello/);
    expect((await api.call<{ items: SiteView[] }>('GET', '/sites')).body.items).toEqual([]);
  });
});
