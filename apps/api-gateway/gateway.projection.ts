import type { StoredMessage } from '#contracts/message.js';
import { foldBatch, type KeyedTable, type Row } from './keyed-table.js';
import { operationsTable, type OperationRow } from './operations.projection.js';
import { projectsTable } from './projects.projection.js';
import { sitesTable } from './sites.projection.js';
import { timelineRow, timelineTable } from './timeline.projection.js';
import { tokensTable } from './tokens.projection.js';

interface Table {
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly indexes: readonly string[];
}

/** What a projection writes through: a transaction. */
export interface Writer {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

const keyed = [projectsTable, sitesTable, tokensTable] as unknown as readonly KeyedTable[];
export const tables: readonly Table[] = [...keyed, operationsTable, timelineTable];

/** Makes an empty table under a name; the first column is its key. */
export function createTable({ columns, indexes }: Table, name: string): string {
  const lines = Object.entries(columns).map(([column, type], at) => `${column} ${type}${at === 0 ? ' PRIMARY KEY' : ''}`);
  return [`CREATE TABLE ${name} (${lines.join(', ')})`, ...indexes.map((on) => `CREATE INDEX ON ${name} (${on})`)].join(';\n');
}

/** Folds a batch of messages into the tables, whatever they are called at the moment. */
export async function applyBatch(batch: readonly StoredMessage[], tx: Writer, nameOf: (table: string) => string): Promise<void> {
  for (const table of keyed) await foldInto(table, batch, tx, nameOf);
  const operations = await foldInto(operationsTable as unknown as KeyedTable, batch, tx, nameOf);
  const of = (id: string) => operations.get(id) as OperationRow | undefined;
  const rows = batch.flatMap((message) => timelineRow(message, of) ?? []);
  await upsert(timelineTable, rows, tx, nameOf);
}

/** Answers the rows that the batch touched or read, each in its last state. */
async function foldInto(table: KeyedTable, batch: readonly StoredMessage[], tx: Writer, nameOf: (table: string) => string): Promise<Map<string, Row>> {
  const keys = [...new Set(batch.flatMap((message) => table.keyOf(message) ?? []))];
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query(`SELECT * FROM ${nameOf(table.table)} WHERE id = ANY($1)`, [keys]);
  const before = new Map((rows as Row[]).map((row) => [row['id'] as string, numbered(row)]));
  const changed = foldBatch(table, before, batch);
  await upsert(table, [...changed.values()], tx, nameOf);
  return new Map([...before, ...changed]);
}

async function upsert({ table, columns }: Table, rows: readonly Row[], tx: Writer, nameOf: (table: string) => string): Promise<void> {
  if (rows.length === 0) return;
  const [key, ...others] = Object.keys(columns);
  const arrays = Object.entries(columns).map(([, type], at) => `$${at + 1}::${type}[]`);
  const text = `INSERT INTO ${nameOf(table)} (${Object.keys(columns).join(', ')}) SELECT * FROM unnest(${arrays.join(', ')})
    ON CONFLICT (${key}) DO UPDATE SET ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  await tx.query(text, Object.keys(columns).map((column) => rows.map((row) => row[column])));
}

/** The driver gives bigint columns as text unless told otherwise. */
function numbered(row: Row): Row {
  return { ...row, created_position: Number(row['created_position']) };
}
