import type pg from 'pg';
import type { StoredMessage } from '#contracts/message.js';
import { copiedMessage } from './copied-message.js';
import { AT, type CopiedRow } from './copied-row.js';
import { copyBatches } from './copy-reader.js';
import type { ProjectionDefinition } from './projection-definition.js';
import type { ProjectionTx } from './tables.js';

const BATCH = 2_000;

/** Folds a range of positions, batch by batch; yields the position after each. A missing position is an error. */
export async function* foldRange(reader: pg.ClientBase, definition: ProjectionDefinition, range: { after: number; upTo: number }, tx: ProjectionTx): AsyncGenerator<number> {
  if (range.upTo <= range.after) return;
  const { categories } = definition;
  const prefixes = categories?.map((category) => `${category}/`);
  let position = range.after;
  const decode = (row: CopiedRow): StoredMessage | undefined => {
    const found = row.bigint(AT.seq);
    if (found !== ++position) throw new Error(`The log has a gap: position ${position} was expected, ${found} came.`);
    const streamId = row.text(AT.streamId);
    return !prefixes || prefixes.some((prefix) => streamId.startsWith(prefix)) ? copiedMessage(row, found, streamId) : undefined;
  };
  let folded = range.after;
  for await (const batch of copyBatches(reader, range, BATCH, decode)) {
    await definition.apply(categories ? batch.filter((message) => message !== undefined) : (batch as StoredMessage[]), tx);
    folded += batch.length;
    yield folded;
  }
  if (folded !== range.upTo) throw new Error(`The log has a gap: it should reach position ${range.upTo} but ends at ${folded}.`);
}

/** Position of the last message. */
export async function head(client: Pick<pg.ClientBase, 'query'>): Promise<number> {
  const { rows } = await client.query<{ seq: string }>("SELECT seq FROM log.head WHERE log = 'main'");
  return Number(rows[0]!.seq);
}
