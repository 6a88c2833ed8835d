import { randomUUID } from 'node:crypto';
import type { EventStore } from '#eventstore/event-store.js';
import { tokenIssued } from '../support/messages.js';

/** An event whose stored data is about 400 bytes. */
export function event400(key: string) {
  return tokenIssued(key, 'n'.repeat(235));
}

/** Writers that each append to a stream of their own, one event after the other, each with its expected version. */
export async function write(store: EventStore, writers: number, seconds: number): Promise<{ perS: number; latenciesMs: number[] }> {
  const latenciesMs: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  await Promise.all(Array.from({ length: writers }, async () => {
    const key = randomUUID();
    for (let version = 0; performance.now() < end; version++) {
      const sent = performance.now();
      await store.append([{ streamId: `token/${key}`, expectedVersion: version, messages: [event400(key)] }]);
      latenciesMs.push(performance.now() - sent);
    }
  }));
  return { perS: latenciesMs.length / ((performance.now() - begun) / 1_000), latenciesMs };
}
