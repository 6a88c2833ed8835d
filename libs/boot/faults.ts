import { appendFileSync, closeSync, openSync } from 'node:fs';
import { listenToProbes } from '#contracts/probe.js';

/**
 * For test/chaos. With HOSTPLANE_KILL_AT=`<point>[#n]` the process dies (SIGKILL) the nth time that it comes to that point, but only
 * once while the file HOSTPLANE_KILL_MARKER stands, so that the restarted process lives. With HOSTPLANE_TRACE_POINTS=`<file>` every
 * point is appended to that file, as `<app> <point>`. With neither, nothing is listened to.
 */
export function installFaults(app: string, env: NodeJS.ProcessEnv = process.env): void {
  const trace = env['HOSTPLANE_TRACE_POINTS'];
  const kill = env['HOSTPLANE_KILL_AT'];
  if (!trace && !kill) return;
  const [target, nth = '1'] = (kill ?? '').split('#');
  let passed = 0;
  listenToProbes((point) => {
    if (trace) appendFileSync(trace, `${app} ${point}\n`);
    if (point !== target) return;
    passed += 1;
    if (passed === Number(nth) && claims(env['HOSTPLANE_KILL_MARKER'])) process.kill(process.pid, 'SIGKILL');
  });
}

/** Whether this process is the one that makes the marker. Several may try at once: the file system lets one through. */
function claims(marker: string | undefined): boolean {
  if (!marker) return true;
  try {
    closeSync(openSync(marker, 'wx'));
    return true;
  } catch {
    return false;
  }
}
