import { describe } from '@jest/globals';
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import Docker from 'dockerode';
import { pebbleProgram } from '../../infra/start/machine.js';

/** Whether an engine answers, asked once, before any test is declared. */
const answers = await new Docker().ping().then(() => true, () => false);

/**
 * `describe` for what needs a Docker Engine. Without one the tests fail where they must run (CI), and elsewhere are skipped under a name
 * that says why.
 */
export const describeWithDocker = needing('a Docker Engine', answers);

/** `describe` for what needs nginx on this machine. */
export const describeWithNginx = needing('nginx', ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].some((path) => existsSync(path)) || spawnSync('nginx', ['-v']).status === 0);

/** `describe` for what needs a real authoritative DNS server: knot. */
export const describeWithKnot = needing('knot', ['/usr/sbin/knotd', '/usr/local/sbin/knotd'].some((path) => existsSync(path)));

/** `describe` for what needs a real certificate authority, pebble, and the DNS that it asks. */
export const describeWithPebble = needing('pebble and knot', existsSync(pebbleProgram()) && ['/usr/sbin/knotd', '/usr/local/sbin/knotd'].some((path) => existsSync(path)));

/** `describe` for what stops and kills a Docker Engine of its own. */
export const describeWithOwnEngine = needing('root, dockerd, and a Docker Engine to take images from', answers && process.getuid?.() === 0 && spawnSync('dockerd', ['--version'], { env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } }).status === 0);

/** An engine before 28 leaves networks open to each other for some milliseconds whenever any network is made (decision 18), and other specs make some: a way that is shut once is shut. */
export async function isOpen(passes: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 3; tries > 0; tries--) if (!(await passes())) return false;
  return true;
}

function needing(part: string, isThere: boolean): (name: string, tests: () => void) => void {
  if (isThere || process.env['CI']) return (name, tests) => describe(name, tests);
  return (name, tests) => describe.skip(`${name} (skipped: needs ${part}, see npm test)`, tests);
}
