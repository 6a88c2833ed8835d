import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs';
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

/** Names the points that a process comes to by the work in which it does: `<last handler that began>|<point>#<how often since then>`. */
export class Steps {
  private work = '';
  private readonly counts = new Map<string, number>();

  next(point: string): string {
    const began = /^handler:(.*):received$/.exec(point)?.[1];
    if (began !== undefined) {
      this.work = began;
      this.counts.clear();
    }
    const nth = (this.counts.get(point) ?? 0) + 1;
    this.counts.set(point, nth);
    return `${this.work}|${point}#${nth}`;
  }
}

/** The file of a step, or of a point, at which a process dies once; it is renamed when it did. */
export const stepFile = (folder: string, process: string, step: string): string => join(folder, `step ${process} ${step}`.replaceAll('/', '_'));
export const DIED = '.died';

/**
 * For test/chaos. With HOSTPLANE_FAULTS=`<folder>` every point that the process comes to is appended to the folder's file `trace`, as
 * `<process> <point>`, and an order in its file `kill` (JSON, KillOrder) is carried out once: the process (or its victim) dies by SIGKILL at that point,
 * and the file is renamed to `killed`. Of several deaths each has a file of its own (stepFile), and they come as the process comes to them. Without the variable nothing is listened to.
 */
export function installFaults(processName: string, env: NodeJS.ProcessEnv = process.env): void {
  const folder = env['HOSTPLANE_FAULTS'];
  if (!folder) return;
  let id = '';
  let passed = 0;
  const steps = new Steps();
  listenToProbes((point) => {
    const step = steps.next(point);
    for (const name of [step, point]) if (moves(stepFile(folder, processName, name), DIED)) process.kill(process.pid, 'SIGKILL');
    appendFileSync(join(folder, 'trace'), `${processName} ${point}\n`);
    const order = readOrder(folder);
    if (!order || order.process !== processName || order.point !== point) return;
    passed = order.id === id ? passed + 1 : 1;
    id = order.id;
    if (passed === order.nth && claims(folder)) process.kill(order.victim ?? process.pid, 'SIGKILL');
  });
}

function moves(file: string, ending: string): boolean {
  if (!existsSync(file)) return false;
  renameSync(file, `${file}${ending}`);
  return true;
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
