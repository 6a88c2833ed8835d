import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the environment of a process of ours: whose it is, also when its number was never kept. */
export const LABEL = 'KEPT_BY_HOSTPLANE';
const ENDS_WITHIN_MS = 10_000;

/** The numbers of all processes that bear the label with this value. */
export function labelled(value: string): readonly number[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && hasLabel(Number(name), value)).map(Number);
  } catch {
    return [];
  }
}

/** Only processes of the same user show their environment; a dead one has none. */
export function hasLabel(pid: number, value: string): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${LABEL}=${value}`);
  } catch {
    return false;
  }
}

/** Ends a process for as long as it is the one that is meant: never another one that has got its number since. */
export async function endWhile(isMeant: (pid: number) => boolean, pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isMeant(pid)) return;
    process.kill(pid, signal);
    for (const end = Date.now() + ENDS_WITHIN_MS; Date.now() < end && isMeant(pid); ) await sleep(20);
  }
}
