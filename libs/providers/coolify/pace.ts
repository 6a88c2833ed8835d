import { setTimeout as sleep } from 'node:timers/promises';

const MINUTE_MS = 60_000;

/** Lets at most so many requests a minute through; the others wait for their turn. */
export class Pace {
  private readonly sent: number[] = [];

  constructor(private readonly perMinute: number) {}

  async turn(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const now = performance.now();
      while (this.sent.length > 0 && this.sent[0]! <= now - MINUTE_MS) this.sent.shift();
      if (this.sent.length < this.perMinute) {
        this.sent.push(now);
        return;
      }
      await sleep(this.sent[0]! + MINUTE_MS - now, undefined, signal && { signal });
    }
  }
}
