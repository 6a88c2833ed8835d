import type pg from 'pg';
import type { StoredMessage } from '#contracts/message.js';
import { AT, copyRows, type CopiedRow } from './copy-reader.js';
import { lazyMessageFromRaw, type RawMessage } from './stored.js';
import type { ProjectionDefinition } from './projection-definition.js';
import type { ProjectionTx } from './tables.js';

/** So many messages are read ahead while the ones before are folded. */
const CHUNK = 5_000;

/** Folds a range of positions, chunk by chunk; yields the position after each. A missing position is an error. */
export async function* foldRange(reader: pg.PoolClient, definition: ProjectionDefinition, range: { after: number; upTo: number }, tx: ProjectionTx): AsyncGenerator<number> {
  const read = (after: number) => (after < range.upTo ? readChunk(reader, definition, after, Math.min(after + CHUNK, range.upTo)) : undefined);
  let next = read(range.after);
  for (let after = range.after; next; after = Math.min(after + CHUNK, range.upTo)) {
    const batch = await next;
    next = read(Math.min(after + CHUNK, range.upTo));
    next?.catch(() => undefined);
    await definition.apply(batch, tx);
    yield Math.min(after + CHUNK, range.upTo);
  }
}

async function readChunk(reader: pg.PoolClient, { categories }: ProjectionDefinition, after: number, upTo: number): Promise<StoredMessage[]> {
  const batch: StoredMessage[] = [];
  const prefixes = categories?.map((category) => `${category}/`);
  let expected = after;
  await copyRows(reader, { after, upTo }, (row) => {
    const position = row.bigint(AT.seq);
    if (position !== ++expected) throw new Error(`The log has a gap: position ${expected} was expected, ${position} came.`);
    const streamId = row.text(AT.streamId);
    if (!prefixes || prefixes.some((prefix) => streamId.startsWith(prefix))) batch.push(lazyMessageFromRaw(rawFromCopy(row, position, streamId)));
  });
  if (expected !== upTo) throw new Error(`The log has a gap: it should reach position ${upTo} but ends at ${expected}.`);
  return batch;
}

function rawFromCopy(row: CopiedRow, position: number, streamId: string): RawMessage {
  return {
    position, streamId, version: row.integer(AT.version), id: row.uuid(AT.id), kind: row.ascii(AT.kind) as RawMessage['kind'], type: row.ascii(AT.type),
    schemaVersion: row.integer(AT.schemaVersion), data: row.text(AT.data), meta: row.text(AT.meta), recordedAt: row.ascii(AT.recordedAt), hash: row.hex(AT.hash),
  };
}

/** Position of the last message. */
export async function head(client: Pick<pg.ClientBase, 'query'>): Promise<number> {
  const { rows } = await client.query<{ seq: string }>("SELECT seq FROM log.head WHERE log = 'main'");
  return Number(rows[0]!.seq);
}
