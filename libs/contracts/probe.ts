/**
 * Named points that a process passes while it works: before and after an effect, an append, an acknowledgement.
 * Nothing listens unless a process asked for it at start (boot/faults.ts does, for test/chaos).
 */
let listener: ((point: string) => void) | undefined;

export function listenToProbes(listen: (point: string) => void): void {
  listener = listen;
}

/** Says that the process has come to this point, for example `docker:create-container`. */
export function reached(point: string): void {
  listener?.(point);
}
