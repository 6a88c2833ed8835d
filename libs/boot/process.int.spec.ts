import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const loader = ['--import', join(root, 'test/support/typescript.mjs')];
const folder = mkdtempSync(join(tmpdir(), 'hostplane-process-'));
const app = join(folder, 'app.ts');

beforeAll(() =>
  writeFileSync(
    app,
    `import { runApp } from '#boot/process.js';
     import { reached } from '#contracts/probe.js';
     setTimeout(() => process.exit(9), 20_000).unref(); // Nobody is left behind by a test that was killed.
     await runApp('sample', async ({ log, env }) => {
       const timer = setInterval(() => reached('sample:tick'), 10);
       if (env.BROKEN === 'start') throw new Error('no database');
       if (env.BROKEN === 'later') setTimeout(() => { throw new Error('nobody caught this'); }, 20);
       return { stop: async () => { clearInterval(timer); if (env.BROKEN === 'stop') throw new Error('stuck'); log.info('let go'); } };
     });`,
  ),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [...loader, app], { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Waits for the end: the exit code, the signal and every line of the log. */
async function end(child: ChildProcess): Promise<{ code: number | null; signal: string | null; log: string }> {
  const [log, [code, signal]] = await Promise.all([text(child.stdout!), once(child, 'exit') as Promise<[number | null, string | null]>]);
  return { code, signal, log };
}

/** Sends the signal once it has said that it started. */
function signalWhenStarted(child: ChildProcess, signal: NodeJS.Signals): ChildProcess {
  child.stdout!.on('data', (chunk: Buffer) => {
    if (chunk.includes('"Started"')) child.kill(signal);
  });
  return child;
}

describe('runApp', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('stops gracefully on %s', async (signal) => {
    const ended = await end(signalWhenStarted(start(), signal));
    expect(ended).toMatchObject({ code: 0, log: expect.stringContaining('let go') });
  });

  it.each([
    ['start', 'no database'],
    ['later', 'nobody caught this'],
  ])('ends with code 1 and says why when it fails (%s)', async (broken, reason) => {
    expect(await end(start({ BROKEN: broken }))).toMatchObject({ code: 1, log: expect.stringContaining(reason) });
  });

  it('ends with code 1 when it cannot stop', async () => {
    expect(await end(signalWhenStarted(start({ BROKEN: 'stop' }), 'SIGTERM'))).toMatchObject({ code: 1, log: expect.stringContaining('stuck') });
  });

  it('tells its parent that it is ready, and stops when the parent goes away', async () => {
    const child = fork(app, { cwd: root, execArgv: loader, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    const ended = end(child);
    expect(await once(child, 'message')).toEqual([{ ready: 'sample' }, undefined]);
    child.disconnect();
    expect(await ended).toMatchObject({ code: 0, log: expect.stringContaining('let go') });
  });
});

describe('faults', () => {
  it('carries out the order to die at the nth passing of a point once, and writes points down', async () => {
    const faults = mkdtempSync(join(folder, 'faults-'));
    writeFileSync(join(faults, 'kill'), JSON.stringify({ id: 'a', process: 'sample', point: 'sample:tick', nth: 3 }));
    expect(await end(start({ HOSTPLANE_FAULTS: faults }))).toMatchObject({ signal: 'SIGKILL' });
    expect([existsSync(join(faults, 'kill')), existsSync(join(faults, 'killed'))]).toEqual([false, true]);
    expect(readFileSync(join(faults, 'trace'), 'utf8')).toBe('sample sample:tick\n'.repeat(3));
    const again = start({ HOSTPLANE_FAULTS: faults });
    setTimeout(() => again.kill('SIGTERM'), 1_500);
    expect(await end(again)).toMatchObject({ code: 0, signal: null });
  });

  it("leaves another process's order to it", async () => {
    const faults = mkdtempSync(join(folder, 'faults-'));
    writeFileSync(join(faults, 'kill'), JSON.stringify({ id: 'a', process: 'other', point: 'sample:tick', nth: 1 }));
    const child = start({ HOSTPLANE_FAULTS: faults });
    setTimeout(() => child.kill('SIGTERM'), 1_500);
    expect(await end(child)).toMatchObject({ code: 0 });
    expect(existsSync(join(faults, 'kill'))).toBe(true);
  });
});
