import type pg from 'pg';

/** How far a projection has come, and which of its tables are live. */
export interface Checkpoint {
  readonly version: number;
  readonly position: number;
  /** Suffix of the live tables; 0: there are none yet. */
  readonly epoch: number;
}

type Db = Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>;

export async function makeCheckpoints(db: pg.Pool, schema: string): Promise<void> {
  const { rowCount } = await db.query("SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'checkpoints'", [schema]);
  if (rowCount === 1) return;
  await db.query(`CREATE TABLE IF NOT EXISTS ${schema}.checkpoints (projection text PRIMARY KEY, version integer NOT NULL, position bigint NOT NULL, epoch integer NOT NULL)`);
}

export async function readCheckpoint(db: Db, schema: string, projection: string, lock = ''): Promise<Checkpoint | undefined> {
  const { rows } = await (db as pg.ClientBase).query<Record<keyof Checkpoint, string | number>>(
    `SELECT version, position, epoch FROM ${schema}.checkpoints WHERE projection = $1 ${lock}`, [projection]);
  const row = rows[0];
  return row && { version: Number(row.version), position: Number(row.position), epoch: Number(row.epoch) };
}
