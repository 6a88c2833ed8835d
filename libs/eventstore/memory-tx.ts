import type { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from } from 'pg-copy-streams';
import { copyFile, CopyRows } from './copy-rows.js';
import { keyColumn, physicalName, type ProjectionTx, type Row, type TableDefinition } from './tables.js';

/** Rows leave for the database when there are about so many bytes of them. */
const CHUNK_BYTES = 1 << 20;

/** Rows in memory, for a rebuild: those of append-only tables leave for the database as soon as there are enough of them. */
export class MemoryTx implements ProjectionTx {
  private readonly held = new Map<string, Map<string | number, Row>>();
  private readonly added = new Map<string, CopyRows>();

  constructor(private readonly definitions: ReadonlyMap<string, TableDefinition>) {
    for (const [table, definition] of definitions) (definition.appendOnly ? this.added.set(table, new CopyRows(definition)) : this.held.set(table, new Map()));
  }

  rows<R extends Row>(table: string, keys: readonly (string | number)[]): Promise<Map<string | number, R>> {
    const held = this.held.get(table);
    if (!held) throw new Error(`The table ${table} is append-only: its rows are not read again.`);
    const found = new Map<string | number, R>();
    for (const key of keys) {
      const row = held.get(key);
      if (row) found.set(key, row as R);
    }
    return Promise.resolve(found);
  }

  put(table: string, rows: readonly Row[]): Promise<void> {
    const held = this.held.get(table);
    const key = keyColumn(this.definitions.get(table)!);
    if (held) for (const row of rows) held.set(row[key] as string | number, row);
    else for (const row of rows) this.added.get(table)!.add(row);
    return Promise.resolve();
  }

  remove(table: string, keys: readonly (string | number)[]): Promise<void> {
    for (const key of keys) this.held.get(table)!.delete(key);
    return Promise.resolve();
  }

  /** Writes what append-only tables have gathered, once it is worth a statement; at the end, with `all`, everything. */
  async flush(client: pg.ClientBase, schema: string, epoch: number, all: boolean): Promise<void> {
    for (const [table, rows] of this.added) if (rows.byteLength > (all ? 0 : CHUNK_BYTES)) await copyIn(client, physicalName(schema, table, epoch), [rows.take()]);
    if (!all) return;
    for (const [table, rows] of this.held) {
      if (rows.size > 0) await copyIn(client, physicalName(schema, table, epoch), chunksOf(this.definitions.get(table)!, rows.values()));
      rows.clear();
    }
  }
}

function* chunksOf(definition: TableDefinition, rows: Iterable<Row>): Generator<Buffer> {
  const chunk = new CopyRows(definition);
  for (const row of rows) {
    chunk.add(row);
    if (chunk.byteLength > CHUNK_BYTES) yield chunk.take();
  }
  yield chunk.take();
}

async function copyIn(client: pg.ClientBase, name: string, rows: Iterable<Buffer>): Promise<void> {
  await pipeline(Readable.from(copyFile(rows)), client.query(from(`COPY ${name} FROM STDIN (FORMAT binary)`)));
}
