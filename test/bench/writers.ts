import { randomUUID } from 'node:crypto';
import type { EventStore } from '#eventstore/event-store.js';
import { tokenIssued } from '../support/messages.js';

/** An event whose stored data is about 400 bytes. */
function event400(key: string) {
  return tokenIssued(key, 'n'.repeat(235));
}

/** Writers that each append to a stream of their own, one event after the other, each with its expected version. */
export function write(store: EventStore, writers: number, seconds: number): Promise<Figures> {
  return writeWith((key, version) => store.append([{ streamId: `token/${key}`, expectedVersion: version, messages: [event400(key)] }]), writers, seconds);
}

export interface Figures {
  readonly perS: number;
  readonly latenciesMs: number[];
}

/** The same with whatever appends. */
export async function writeWith(append: (key: string, version: number) => Promise<unknown>, writers: number, seconds: number): Promise<Figures> {
  const latenciesMs: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  await Promise.all(Array.from({ length: writers }, async () => {
    const key = randomUUID();
    for (let version = 0; performance.now() < end; version++) {
      const sent = performance.now();
      await append(key, version);
      latenciesMs.push(performance.now() - sent);
    }
  }));
  return { perS: latenciesMs.length / ((performance.now() - begun) / 1_000), latenciesMs };
}
