import type pg from 'pg';
import { readCheckpoint } from './checkpoint.js';
import { MemoryTx } from './memory-tx.js';
import type { ProjectionDefinition, ProjectionPlace } from './projection-definition.js';
import { foldRange, head } from './replay.js';
import { TableTx } from './table-tx.js';
import { createStatement, indexStatements, physicalName, type TableDefinition } from './tables.js';

export interface Progress {
  readonly projection: string;
  readonly position: number;
  readonly head: number;
}

type OnProgress = ((progress: Progress) => void) | undefined;

export interface Comparison {
  /** Where both were. */
  readonly position: number;
  readonly isEqual: boolean;
  /** Rows that only one of the two has, as text; the first ten of each. */
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly onlyLive: readonly string[]; readonly onlyRebuilt: readonly string[] }[];
}

/** A swap is tried when the shadow is at most so many messages behind. */
const NEARLY = 20;

/** Rows in memory → shadow tables → caught up → swapped under the views in one short transaction. Readers notice nothing. */
export async function rebuild(place: ProjectionPlace, definition: ProjectionDefinition, onProgress?: OnProgress): Promise<{ position: number; swapMs: number }> {
  const { db, schema } = place;
  const [client, reader] = await Promise.all([db.connect(), db.connect()]);
  try {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [`${schema}.${definition.name}`]);
    await client.query("SET synchronous_commit = off; SET maintenance_work_mem = '128MB'"); // the swap is what waits for the disk; indexes are sorted in memory
    await client.query(`INSERT INTO ${schema}.checkpoints VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING`, [definition.name]);
    const live = (await readCheckpoint(client, schema, definition.name))!;
    await dropOthers(client, schema, definition, live.epoch);
    const epoch = live.epoch + 1;
    for (const table of definition.tables) await client.query(createStatement(table, physicalName(schema, table.table, epoch)));
    let position = await fill(client, reader, place, definition, epoch, await head(reader), onProgress);
    await index(client, place, definition, epoch);
    const views = await viewStatements(client, place, definition, epoch);
    for (let swapped; ; ) {
      position = await catchUp(client, reader, place, definition, epoch, position);
      swapped = await swap(client, reader, place, definition, { epoch, views, position });
      if (!swapped) continue;
      await dropOthers(client, schema, definition, epoch);
      return swapped;
    }
  } finally {
    // Ends the session, and with it the lock and whatever was left half-way.
    client.release(true);
    reader.release();
  }
}

/** Builds the tables a second time, up to where the live ones are, inside a transaction that is taken back. */
export async function compare(place: ProjectionPlace, definition: ProjectionDefinition, onProgress?: OnProgress): Promise<Comparison> {
  const { db, schema } = place;
  const [client, reader] = await Promise.all([db.connect(), db.connect()]);
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const live = (await readCheckpoint(client, schema, definition.name))!;
    for (const table of definition.tables) await client.query(createStatement(table, physicalName(schema, table.table, 0)));
    await fill(client, reader, place, definition, 0, live.position, onProgress);
    const tables = [];
    for (const { table } of definition.tables) {
      const [ours, theirs] = [physicalName(schema, table, live.epoch), physicalName(schema, table, 0)];
      const only = async (a: string, b: string) => (await client.query<{ row: string }>(`SELECT t::text AS row FROM ${a} t EXCEPT ALL SELECT t::text FROM ${b} t LIMIT 10`)).rows.map(({ row }) => row);
      const { rows: [count] } = await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${ours}`);
      tables.push({ table, rows: Number(count!.n), onlyLive: await only(ours, theirs), onlyRebuilt: await only(theirs, ours) });
    }
    return { position: live.position, isEqual: tables.every((t) => t.onlyLive.length + t.onlyRebuilt.length === 0), tables };
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
    reader.release();
  }
}

/** Folds the log from its beginning into the epoch's empty tables. */
async function fill(client: pg.ClientBase, reader: pg.PoolClient, { schema }: ProjectionPlace, definition: ProjectionDefinition, epoch: number, upTo: number, onProgress: OnProgress): Promise<number> {
  const memory = new MemoryTx(tablesOf(definition));
  let written = Promise.resolve(); // the server takes one batch in while the next is folded
  try {
    for await (const position of foldRange(reader, definition, { after: 0, upTo }, memory)) {
      await written;
      written = memory.flush(client, schema, epoch, false);
      written.catch(() => undefined);
      onProgress?.({ projection: definition.name, position, head: upTo });
    }
  } finally {
    await written;
  }
  await memory.flush(client, schema, epoch, true);
  return upTo;
}

async function index(client: pg.ClientBase, { schema }: ProjectionPlace, { tables }: ProjectionDefinition, epoch: number): Promise<void> {
  for (const table of tables) {
    const name = physicalName(schema, table.table, epoch);
    for (const statement of [...indexStatements(table, name), `ANALYZE ${name}`]) await client.query(statement);
  }
}

/** Follows the log into the shadow tables until almost nothing is missing. */
async function catchUp(client: pg.ClientBase, reader: pg.PoolClient, { schema }: ProjectionPlace, definition: ProjectionDefinition, epoch: number, from: number): Promise<number> {
  let position = from;
  const tx = new TableTx(client, schema, epoch, tablesOf(definition));
  for (let upTo; (upTo = await head(reader)) - position > NEARLY; ) {
    for await (position of foldRange(reader, definition, { after: position, upTo }, tx)) await tx.write();
  }
  await client.query(FLUSH);
  return position;
}

/** Brings to the disk what was written until now, so that the swap need not. */
const FLUSH = "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'hostplane', ''); COMMIT";

interface Shadow {
  readonly epoch: number;
  readonly position: number;
  /** Point the views at it. */
  readonly views: string;
}

/** Holds the live projection for the few messages that are missing. Undefined: too many came meanwhile, or a reader was in the way. */
async function swap(client: pg.ClientBase, reader: pg.PoolClient, { schema }: ProjectionPlace, definition: ProjectionDefinition, { epoch, views, position: from }: Shadow): Promise<{ position: number; swapMs: number } | undefined> {
  const begun = performance.now();
  await client.query("BEGIN; SET LOCAL lock_timeout = '200ms'; SET LOCAL synchronous_commit = on");
  try {
    const live = (await readCheckpoint(client, schema, definition.name, 'FOR UPDATE'))!;
    const upTo = Math.max(await head(reader), live.position);
    let position = from;
    if (upTo - from <= 2 * NEARLY) {
      const tx = new TableTx(client, schema, epoch, tablesOf(definition));
      for await (position of foldRange(reader, definition, { after: from, upTo }, tx)) await tx.write();
      await client.query(views);
      await client.query(`UPDATE ${schema}.checkpoints SET version = $2, position = $3, epoch = $4 WHERE projection = $1`, [definition.name, definition.version, position, epoch]);
      await client.query('COMMIT');
      return { position, swapMs: performance.now() - begun };
    }
  } catch (error) {
    const LOCK_NOT_AVAILABLE = '55P03';
    if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
  }
  await client.query('ROLLBACK');
  return undefined;
}

/** Points the views at another epoch; where its columns are others, it is a new view. Nobody but who holds the lock of the rebuild makes views. */
async function viewStatements(client: pg.ClientBase, { schema }: ProjectionPlace, { tables }: ProjectionDefinition, epoch: number): Promise<string> {
  const shapeOf = (name: string): string => `(SELECT array_agg((attname, atttypid)::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = to_regclass(${name}) AND attnum > 0)`;
  const statements = [];
  for (const { table } of tables) {
    const [view, next] = [`${schema}.${table}`, physicalName(schema, table, epoch)];
    const { rows: [shape] } = await client.query<{ same: boolean }>(`SELECT ${shapeOf('$1')} = ${shapeOf('$2')} AS same`, [view, next]);
    if (!shape!.same) statements.push(`DROP VIEW IF EXISTS ${view}`);
    statements.push(`CREATE OR REPLACE VIEW ${view} AS SELECT * FROM ${next}`);
  }
  return statements.join('; ');
}

/** Drops this projection's tables of other epochs: the old ones, and what a rebuild that was killed left behind. */
async function dropOthers(client: pg.ClientBase, schema: string, { tables }: ProjectionDefinition, epoch: number): Promise<void> {
  const pattern = `^(${tables.map(({ table }) => table).join('|')})_e[0-9]+$`;
  const { rows } = await client.query<{ tablename: string }>('SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename ~ $2', [schema, pattern]);
  const others = rows.filter(({ tablename }) => !tablename.endsWith(`_e${epoch}`));
  for (const { tablename } of others) await client.query(`DROP TABLE IF EXISTS ${schema}.${tablename}`);
}

function tablesOf({ tables }: ProjectionDefinition): ReadonlyMap<string, TableDefinition> {
  return new Map(tables.map((definition) => [definition.table, definition]));
}
