import type pg from 'pg';
import { from } from 'pg-copy-streams';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { copyLine, keyColumn, physicalName, type ProjectionTx, type Row, type TableDefinition } from './tables.js';

/** Rows in the tables of one epoch, inside the transaction that the client is in. */
export class TableTx implements ProjectionTx {
  constructor(
    private readonly client: pg.ClientBase,
    private readonly schema: string,
    private readonly epoch: number,
    private readonly definitions: ReadonlyMap<string, TableDefinition>,
  ) {}

  async rows<R extends Row>(table: string, keys: readonly (string | number)[]): Promise<Map<string | number, R>> {
    if (keys.length === 0) return new Map();
    const { definition, name, key } = this.of(table);
    const text = `SELECT to_json(t) AS row FROM ${name} t WHERE "${key}" = ANY($1::${definition.columns[key]}[])`;
    const result = await this.client.query<{ row: R }>(text, [keys]);
    return new Map(result.rows.map(({ row }) => [row[key] as string | number, row]));
  }

  async put(table: string, rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const { definition, name, key } = this.of(table);
    const others = Object.keys(definition.columns).filter((column) => column !== key).map((column) => `"${column}" = excluded."${column}"`);
    const conflict = others.length > 0 ? `UPDATE SET ${others.join(', ')}` : 'NOTHING';
    const last = [...new Map(rows.map((row) => [row[key], row])).values()];
    await this.client.query(`INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1) ON CONFLICT ("${key}") DO ${conflict}`, [JSON.stringify(last)]);
  }

  async remove(table: string, keys: readonly (string | number)[]): Promise<void> {
    const { definition, name, key } = this.of(table);
    await this.client.query(`DELETE FROM ${name} WHERE "${key}" = ANY($1::${definition.columns[key]}[])`, [keys]);
  }

  private of(table: string): { definition: TableDefinition; name: string; key: string } {
    const definition = this.definitions.get(table)!;
    return { definition, name: physicalName(this.schema, table, this.epoch), key: keyColumn(definition) };
  }
}

/** Rows in memory, for a rebuild: those of append-only tables leave for the database as soon as there are enough of them. */
export class MemoryTx implements ProjectionTx {
  private readonly held = new Map<string, Map<string | number, Row>>();
  private readonly added = new Map<string, string[]>();

  constructor(private readonly definitions: ReadonlyMap<string, TableDefinition>) {
    for (const [table, definition] of definitions) (definition.appendOnly ? this.added.set(table, []) : this.held.set(table, new Map()));
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
    const definition = this.definitions.get(table)!;
    const held = this.held.get(table);
    const key = keyColumn(definition);
    if (held) for (const row of rows) held.set(row[key] as string | number, row);
    else this.added.get(table)!.push(rows.map((row) => copyLine(definition, row)).join(''));
    return Promise.resolve();
  }

  remove(table: string, keys: readonly (string | number)[]): Promise<void> {
    for (const key of keys) this.held.get(table)!.delete(key);
    return Promise.resolve();
  }

  /** Writes what append-only tables have gathered; at the end, with `all`, the other tables too. */
  async flush(client: pg.ClientBase, schema: string, epoch: number, all: boolean): Promise<void> {
    for (const [table, lines] of this.added) if (lines.length > 0) await copyIn(client, physicalName(schema, table, epoch), lines.splice(0));
    if (!all) return;
    for (const [table, rows] of this.held) {
      await copyIn(client, physicalName(schema, table, epoch), linesOf(this.definitions.get(table)!, rows.values()));
      rows.clear();
    }
  }
}

const CHUNK_ROWS = 500;

function* linesOf(definition: TableDefinition, rows: Iterable<Row>): Generator<string> {
  const chunk: string[] = [];
  for (const row of rows) {
    chunk.push(copyLine(definition, row));
    if (chunk.length === CHUNK_ROWS) yield chunk.splice(0).join('');
  }
  if (chunk.length > 0) yield chunk.join('');
}

async function copyIn(client: pg.ClientBase, name: string, lines: Iterable<string>): Promise<void> {
  await pipeline(Readable.from(lines, { objectMode: false }), client.query(from(`COPY ${name} FROM STDIN`)));
}
