import type { Pool } from 'pg';

/** What the gateway keeps beside its read model: first answers by idempotency key, and when a token was last used. Neither is a fact. */
export async function makeSideTables(db: Pool, schema: string): Promise<void> {
  await db.query(`
    CREATE TABLE IF NOT EXISTS ${schema}.first_answers (
      owner text NOT NULL, route text NOT NULL, key text NOT NULL, fingerprint text NOT NULL,
      status integer, headers text, body text, made_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (owner, route, key));
    CREATE INDEX IF NOT EXISTS first_answers_made_at ON ${schema}.first_answers (made_at);
    CREATE TABLE IF NOT EXISTS ${schema}.token_uses (token_id text PRIMARY KEY, used_at text NOT NULL)`);
}
