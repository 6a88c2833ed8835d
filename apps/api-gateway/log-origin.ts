import type { EventStore } from '#eventstore/event-store.js';

/** What tells this plane's log from every other: the hash of its first message. A log that was restored elsewhere has the same. */
export class LogOrigin {
  private known: string | undefined;

  constructor(private readonly store: Pick<EventStore, 'read'>) {}

  /** Hex sha256. Whoever has a token has a log with a message: the one that issued it. */
  async hash(): Promise<string> {
    if (this.known === undefined) {
      const [first] = await this.store.read({ after: 0, limit: 1 });
      if (!first) throw new Error('The log holds no message.');
      this.known = first.hash;
    }
    return this.known;
  }
}
