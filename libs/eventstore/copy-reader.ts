import type pg from 'pg';
import type { CopiedRow } from './copied-row.js';
import { CopyQuery, type Range } from './copy-query.js';

/** Reads a range of the log, in order, and hands each row to `onRow` as it comes: the fastest way out of PostgreSQL. */
export async function copyRows(client: pg.ClientBase, range: Range, onRow: (row: CopiedRow) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.query(new CopyQuery(range, onRow, (error) => (error ? reject(error) : resolve())) as unknown as pg.Submittable);
  });
}

/**
 * The same, gathered: yields what `decode` makes of so many rows or a few more, and lets the server wait while they are worked
 * on. When the loop is left early, what is still to come is read and dropped.
 */
export async function* copyBatches<T>(client: pg.ClientBase, range: Range, size: number, decode: (row: CopiedRow) => T): AsyncGenerator<T[]> {
  let batch: T[] = [];
  let isEnded = false;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const query = new CopyQuery(range, (row) => {
    batch.push(decode(row));
    if (batch.length !== size) return;
    query.pause();
    wake();
  }, (error) => {
    isEnded = true;
    failure = error;
    wake();
  });
  client.query(query as unknown as pg.Submittable);
  const changed = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  try {
    for (;;) {
      if (batch.length < size && !isEnded) await changed();
      if (failure) throw failure;
      const full = batch;
      batch = [];
      query.resume();
      if (full.length > 0) yield full;
      else if (isEnded) return;
    }
  } finally {
    query.drop();
    while (!isEnded) await changed();
  }
}
