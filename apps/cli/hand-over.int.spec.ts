import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const module = fileURLToPath(new URL('./bin/hand-over.js', import.meta.url));
const HELD = "process.on('SIGTERM', () => { console.log('ending'); process.exit(7); }); console.log(process.pid); setInterval(() => {}, 1000);";

/** A process that hands over to another one, which runs this code, and what that says. */
function handedOver(code: string) {
  const outer = `import { handOver } from ${JSON.stringify(module)}; handOver(process.execPath, ['-e', ${JSON.stringify(code)}]);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', outer], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  child.stdout.on('data', (data: Buffer) => said.push(data.toString()));
  return { child, said, ended: once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]> };
}
const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it('ends as the program that it was handed over to', async () => {
  expect(await handedOver('process.exit(3)').ended).toEqual([3, null]);
  expect(await handedOver("process.kill(process.pid, 'SIGKILL')").ended).toEqual([null, 'SIGKILL']);
});

it('leaves nothing running when it is told to end', async () => {
  const { child, said, ended } = handedOver(HELD);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  expect(await ended).toEqual([7, null]);
  expect([said.join('').split('\n').slice(1), isThere(Number(said[0]))]).toEqual([['ending', ''], false]);
});
