/** A table of a projection. The first column is the key; a cell holds text, a number, a truth value, JSON or null. */
export interface TableDefinition {
  readonly table: string;
  /** Column and its SQL type. */
  readonly columns: Readonly<Record<string, string>>;
  /** Column lists that get an index. */
  readonly indexes?: readonly string[];
  /** Rows are only added, and never read again by the projection: a rebuild need not hold them in memory. */
  readonly appendOnly?: boolean;
}

export type Row = Readonly<Record<string, unknown>>;

/** How a projection reads and writes its rows, wherever they are: in live tables, or in those of a rebuild. */
export interface ProjectionTx {
  /** The rows with these keys, by key; those that there are. */
  rows<R extends Row = Row>(table: string, keys: readonly (string | number)[]): Promise<Map<string | number, R>>;
  /** Adds rows, or replaces those with the same key. */
  put(table: string, rows: readonly Row[]): Promise<void>;
  remove(table: string, keys: readonly (string | number)[]): Promise<void>;
}

export function keyColumn({ columns }: TableDefinition): string {
  return Object.keys(columns)[0]!;
}

export function physicalName(schema: string, table: string, epoch: number): string {
  return `${schema}.${table}_e${epoch}`;
}

/** Makes the empty table; its indexes come later, when it is filled (see indexStatements). */
export function createStatement(definition: TableDefinition, name: string): string {
  const columns = Object.entries(definition.columns).map(([column, type]) => `"${column}" ${type}`);
  return `CREATE TABLE ${name} (${columns.join(', ')})`;
}

export function indexStatements(definition: TableDefinition, name: string): string[] {
  return [`ALTER TABLE ${name} ADD PRIMARY KEY ("${keyColumn(definition)}")`, ...(definition.indexes ?? []).map((columns) => `CREATE INDEX ON ${name} (${columns})`)];
}
