import type { StoredMessage } from '#contracts/message.js';

export type KeyedRow = Readonly<Record<string, string | number | null>>;

/** A table with one row an id, folded from messages: the row before and a message give the row after. */
export interface KeyedTable<R extends KeyedRow = KeyedRow> {
  readonly table: string;
  /** Column and its SQL type; the first is the key. */
  readonly columns: { readonly [K in keyof R]: string };
  readonly indexes: readonly string[];
  /** Id of the row that a message is about; undefined: it changes nothing here. */
  keyOf(message: StoredMessage): string | undefined;
  fold(row: R | undefined, message: StoredMessage): R | undefined;
}

/** Folds a batch over rows that were there before; answers those that changed, each in its last state. `keys`: of each message, where they are known. */
export function foldBatch<R extends KeyedRow>(table: KeyedTable<R>, before: ReadonlyMap<string, R>, batch: readonly StoredMessage[], keys = batch.map((message) => table.keyOf(message))): Map<string, R> {
  const changed = new Map<string, R>();
  for (const [i, message] of batch.entries()) {
    const key = keys[i];
    if (key === undefined) continue;
    const row = changed.get(key) ?? before.get(key);
    const next = table.fold(row, message);
    if (next && next !== row) changed.set(key, next);
  }
  return changed;
}
