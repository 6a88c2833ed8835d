import { appendFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { listenToProbes } from '#contracts/probe.js';

/** What the file `kill` in the faults folder says: which process dies where, at which passing from then on. `id` tells orders apart. */
export interface KillOrder {
  readonly id: string;
  readonly process: string;
  readonly point: string;
  /** From 1. */
  readonly nth: number;
  /** Dies instead of the process that came to the point: a server that it relies on. */
  readonly victim?: number;
}

/**
 * For test/chaos. With HOSTPLANE_FAULTS=`<folder>` every point that the process comes to is appended to the folder's file `trace`, as
 * `<process> <point>`, and an order in its file `kill` (JSON, KillOrder) is carried out once: the process (or its victim) dies by SIGKILL at that point,
 * and the file is renamed to `killed`. Without the variable nothing is listened to.
 */
export function installFaults(processName: string, env: NodeJS.ProcessEnv = process.env): void {
  const folder = env['HOSTPLANE_FAULTS'];
  if (!folder) return;
  let id = '';
  let passed = 0;
  listenToProbes((point) => {
    appendFileSync(join(folder, 'trace'), `${processName} ${point}\n`);
    const order = readOrder(folder);
    if (!order || order.process !== processName || order.point !== point) return;
    passed = order.id === id ? passed + 1 : 1;
    id = order.id;
    if (passed === order.nth && claims(folder)) process.kill(order.victim ?? process.pid, 'SIGKILL');
  });
}

function readOrder(folder: string): KillOrder | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'kill'), 'utf8')) as KillOrder;
  } catch {
    return undefined;
  }
}

/** Whether this process takes the order. Several may try at once: the file system lets one through. */
function claims(folder: string): boolean {
  try {
    renameSync(join(folder, 'kill'), join(folder, 'killed'));
    return true;
  } catch {
    return false;
  }
}
