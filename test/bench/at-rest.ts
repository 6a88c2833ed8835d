import { readFileSync } from 'node:fs';

/** Ticks of a processor's time in a second, as /proc counts them (fixed in Linux' interface to programs). */
const TICKS_PER_S = 100;

/** These processes and all that came from them. */
export function familyOf(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => [pid, ...familyOf(childrenOf(pid))]);
}

/** Bytes of memory that a process has, its part of what is shared with others included (PSS). */
export function pssOf(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** Seconds of processor time that a process has used, with those of its children that have ended. */
export function cpuSecondsOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_S;
}

/** Each thread has children of its own. */
function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
}

/** Empty when the process has ended meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
