import type pg from 'pg';
import { categoryOf, type StoredMessage } from '#contracts/message.js';
import type { EventStore } from './event-store.js';
import type { ProjectionTx, TableDefinition } from './tables.js';

/** What turns the log into rows. Only rows: a rebuild runs it again from the first message, and nothing else may happen. */
export interface ProjectionDefinition {
  readonly name: string;
  /** Raise it when tables or rules change: the next start rebuilds. */
  readonly version: number;
  /** Only messages of these streams are handed over; the position passes all of them. */
  readonly categories?: readonly string[];
  readonly tables: readonly TableDefinition[];
  apply(batch: readonly StoredMessage[], tx: ProjectionTx): Promise<void>;
}

export interface ProjectionPlace {
  readonly store: EventStore;
  /** Signed in as the app whose schema it is; three connections are used. */
  readonly db: pg.Pool;
  readonly schema: string;
}

/** A position that is missing is a fault of the log, never a race: nothing may be folded beyond it. */
export function assertDense(batch: readonly StoredMessage[], after: number): void {
  for (const [i, { position }] of batch.entries()) {
    if (position !== after + 1 + i) throw new Error(`The log has a gap: position ${after + 1 + i} was expected, ${position} came.`);
  }
}

export function wanted({ categories }: ProjectionDefinition, batch: readonly StoredMessage[]): readonly StoredMessage[] {
  return categories ? batch.filter((message) => categories.includes(categoryOf(message.streamId))) : batch;
}
