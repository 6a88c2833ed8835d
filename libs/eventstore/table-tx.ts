import { createHash } from 'node:crypto';
import type pg from 'pg';
import { storableJson, storableText } from './storable-text.js';
import { keyColumn, physicalName, type ProjectionTx, type Row, type TableDefinition } from './tables.js';

type Key = string | number;

/** Where a projection's checkpoint is, and where it moves to together with the rows. */
export interface Move {
  readonly projection: string;
  readonly version: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Rows in the tables of one epoch. What a fold asks for at the same time is read in one statement and remembered; what it puts and removes is
 * held back until write(), which is one statement too. A projection is waited for by people: it shall cost few round trips.
 */
export class TableTx implements ProjectionTx {
  /** As they are now, those that were read and those that were put; undefined: there is no such row. */
  private readonly known = new Map<string, Map<Key, Row | undefined>>();
  private readonly changed = new Map<string, Set<Key>>();
  private asked: { readonly keys: Map<string, Set<Key>>; readonly done: Promise<void> } | undefined;

  constructor(
    private readonly client: pg.ClientBase,
    private readonly schema: string,
    private readonly epoch: number,
    private readonly definitions: ReadonlyMap<string, TableDefinition>,
  ) {}

  async rows<R extends Row>(table: string, keys: readonly Key[]): Promise<Map<Key, R>> {
    const known = entry(this.known, table, () => new Map<Key, Row | undefined>());
    const missing = keys.filter((key) => !known.has(key));
    if (missing.length > 0) await this.ask(table, missing);
    return new Map(keys.flatMap((key) => (known.get(key) ? [[key, known.get(key) as R] as const] : [])));
  }

  put(table: string, rows: readonly Row[]): Promise<void> {
    const { key } = this.of(table);
    for (const row of rows) this.change(table, row[key] as Key, row);
    return Promise.resolve();
  }

  remove(table: string, keys: readonly Key[]): Promise<void> {
    for (const key of keys) this.change(table, key, undefined);
    return Promise.resolve();
  }

  /** Writes what has changed, and moves the checkpoint; false, and nothing is written, when the checkpoint is not where the move begins. */
  async write(move?: Move): Promise<boolean> {
    const values: unknown[] = [];
    const add = (value: unknown): string => `$${values.push(value)}`;
    const where = move && `projection = ${add(move.projection)} AND version = ${add(move.version)} AND epoch = ${add(this.epoch)} AND position = ${add(move.from)}`;
    const moved = move ? `UPDATE ${this.schema}.checkpoints SET position = ${add(move.to)} WHERE ${where} RETURNING 1` : 'SELECT 1';
    const changes = [...this.changed].flatMap(([table, keys]) => this.changesOf(table, keys, add));
    const text = `WITH ${[`moved AS (${moved})`, ...changes].join(', ')} SELECT count(*)::int AS n FROM moved`;
    const { rows } = await this.client.query<{ n: number }>({ name: nameOf(text), text, values });
    this.known.clear();
    this.changed.clear();
    return rows[0]!.n === 1;
  }

  private changesOf(table: string, keys: ReadonlySet<Key>, add: (value: unknown) => string): string[] {
    const { definition, name, key } = this.of(table);
    const known = this.known.get(table)!;
    const rows = [...keys].flatMap((one) => known.get(one) ?? []);
    const gone = [...keys].filter((one) => !known.get(one));
    const others = Object.keys(definition.columns).filter((column) => column !== key).map((column) => `"${column}" = excluded."${column}"`);
    const conflict = others.length > 0 ? `UPDATE SET ${others.join(', ')}` : 'NOTHING';
    return [
      ...(rows.length > 0 ? [`put_${table} AS (INSERT INTO ${name} SELECT r.* FROM moved, json_populate_recordset(NULL::${name}, ${add(storableJson(rows))}) r ON CONFLICT ("${key}") DO ${conflict})`] : []),
      ...(gone.length > 0 ? [`removed_${table} AS (DELETE FROM ${name} USING moved WHERE "${key}" = ANY(${add(gone.map(storableKey))}::${definition.columns[key]}[]))`] : []),
    ];
  }

  private change(table: string, key: Key, row: Row | undefined): void {
    entry(this.known, table, () => new Map<Key, Row | undefined>()).set(key, row);
    entry(this.changed, table, () => new Set<Key>()).add(key);
  }

  /** Waits until the caller, and whoever calls beside it, has said all that it wants. */
  private async ask(table: string, keys: readonly Key[]): Promise<void> {
    this.asked ??= { keys: new Map(), done: Promise.resolve().then(() => this.read()) };
    const wanted = entry(this.asked.keys, table, () => new Set<Key>());
    for (const key of keys) wanted.add(key);
    await this.asked.done;
  }

  private async read(): Promise<void> {
    const asked = [...this.asked!.keys];
    this.asked = undefined;
    const selects = asked.map(([table], i) => {
      const { definition, name, key } = this.of(table);
      return `SELECT ${i} AS which, to_json(t) AS row FROM ${name} t WHERE "${key}" = ANY($${i + 1}::${definition.columns[key]}[])`;
    });
    const text = selects.join(' UNION ALL ');
    const { rows } = await this.client.query<{ which: number; row: Row }>({ name: nameOf(text), text, values: asked.map(([, keys]) => [...keys].map(storableKey)) });
    for (const [table, keys] of asked) for (const key of keys) this.known.get(table)!.set(key, undefined);
    for (const { which, row } of rows) {
      const [table] = asked[which]!;
      this.known.get(table)!.set(row[this.of(table).key] as Key, row);
    }
  }

  private of(table: string): { definition: TableDefinition; name: string; key: string } {
    const definition = this.definitions.get(table)!;
    return { definition, name: physicalName(this.schema, table, this.epoch), key: keyColumn(definition) };
  }
}

/** A statement with a name is parsed once a connection. */
function nameOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

const storableKey = (key: Key): Key => (typeof key === 'string' ? storableText(key) : key);

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
