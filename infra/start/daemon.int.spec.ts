import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon, type DaemonSpec } from './daemon.js';
import { lockFolder } from './lock.js';
import { assertFree, freePort } from './ports.js';
import { identityOf } from './processes.js';

const folder = mkdtempSync(join(tmpdir(), 'hostplane-daemon-'));
const said: string[] = [];
let daemon: Daemon | undefined;
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  said.length = 0;
});

function sleeper(over: Partial<DaemonSpec> = {}): Daemon {
  const spec: DaemonSpec = { name: 'sleeper', command: 'sleep', args: ['60'], isReady: () => Promise.resolve(true), stopGraceMs: 2000, ...over };
  return (daemon = new Daemon(spec, { folder, tell: (line) => said.push(line) }));
}

describe('a daemon', () => {
  it('is started again when it ends by itself, and not when it was stopped', async () => {
    await sleeper().start();
    const first = daemon!.pid;
    daemon!.kill('SIGKILL');
    await daemon!.replaced(first);
    expect(identityOf(daemon!.pid!)).toBeDefined();
    expect(said[0]).toMatch(/sleeper ended by itself \(signal SIGKILL\)/);
    const second = daemon!.pid!;
    await daemon!.stop();
    expect(identityOf(second)).toBeUndefined();
  });

  it('that does not start says what it printed', async () => {
    await expect(sleeper({ command: 'sh', args: ['-c', 'echo no such setting; exit 3'], isReady: () => Promise.resolve(false) }).start()).rejects.toThrow(/sleeper did not start: it ended \(exit code 3\)[^]*no such setting/);
  });

  it('of a launcher that is gone is stopped before a new one starts', async () => {
    await sleeper().start();
    const left = daemon!.pid!;
    const after = new Daemon({ name: 'sleeper', command: 'sleep', args: ['61'], isReady: () => Promise.resolve(true) }, { folder, tell: (line) => said.push(line) });
    writeFileSync(join(folder, 'run', 'sleeper.json'), JSON.stringify({ pid: left, identity: identityOf(left) }));
    (daemon as unknown as { wanted: boolean }).wanted = false;
    await after.start();
    expect(identityOf(left)).toBeUndefined();
    await after.stop();
  });
});

describe('a data folder', () => {
  it('has one launcher at a time, and the lock of a dead one does not count', () => {
    const unlock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(new RegExp(`${folder} is in use: .*pid ${process.pid}`));
    unlock();
    writeFileSync(join(folder, 'launcher.lock'), JSON.stringify({ pid: process.pid, identity: 'before:1' }));
    lockFolder(folder)();
  });
});

describe('ports', () => {
  it('that are taken are named with their holder and the variable that changes them', async () => {
    const port = await freePort();
    const server = createServer().listen(port, '127.0.0.1');
    await expect(assertFree('127.0.0.1', [{ port, purpose: 'the API', variable: 'HOSTPLANE_API_PORT' }])).rejects.toThrow(new RegExp(`Port ${port} \\(the API\\) is taken by .*\\(pid ${process.pid}\\)\\. .*HOSTPLANE_API_PORT=<port>`));
    server.close();
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));
