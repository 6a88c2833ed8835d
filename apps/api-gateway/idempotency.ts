import type { Pool } from 'pg';
import { ProblemError } from '#api/problem.js';
import { Refusal } from '#domain/refusal.js';
import { Answer } from './answer.js';
import type { Call } from './call.js';

/** How long first answers are kept. A request that comes again later still finds the ids of the first. */
const KEPT_HOURS = 24;

interface Stored {
  readonly fingerprint: string;
  readonly status: number | null;
  readonly body: string | null;
  readonly headers: string | null;
}

/**
 * The same request sent again with its Idempotency-Key gets the first answer. Ids derive from owner, route and key, so a request that
 * died between its effect and its answer, or two at once, find what the first one did.
 */
export class Idempotency {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  /** Does the work once a key; `storable` is what may be kept of the answer (a secret may not). */
  async once<T>(call: Call, work: () => Promise<Answer<T>>, options: { fingerprint?: string; storable?: (body: T) => T } = {}): Promise<Answer<T>> {
    if (call.key === undefined) return work();
    const first = await this.claim(call, options.fingerprint ?? call.fingerprint);
    if (first?.status) return replay(first);
    try {
      const answer = await work();
      await this.keep(call, { status: answer.status, headers: answer.headers, body: options.storable ? options.storable(answer.body) : answer.body });
      return answer;
    } catch (error) {
      if (error instanceof Refusal && error.code === 'conflict') await this.keep(call, { status: -1, headers: {}, body: { message: error.message, field: error.field } });
      throw error;
    }
  }

  /** Forgets answers that are older than a day; answers how many. */
  async sweep(): Promise<number> {
    const { rowCount } = await this.db.query(`DELETE FROM ${this.schema}.first_answers WHERE made_at < now() - interval '${KEPT_HOURS} hours'`);
    return rowCount ?? 0;
  }

  /** The first answer; undefined when this is the first request, or the first one has not ended. */
  private async claim(call: Call, fingerprint: string): Promise<Stored | undefined> {
    const { rows } = await this.db.query<Stored>({
      name: 'claim-key',
      text: `WITH claimed AS (INSERT INTO ${this.schema}.first_answers (owner, route, key, fingerprint) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1)
        SELECT fingerprint, status, body, headers FROM ${this.schema}.first_answers WHERE owner = $1 AND route = $2 AND key = $3 AND NOT EXISTS (SELECT FROM claimed)`,
      values: [call.principal, call.route, call.key, fingerprint],
    });
    const [first] = rows;
    if (first && first.fingerprint !== fingerprint) throw new ProblemError('key-reused', 'This Idempotency-Key came with another body before. Use a new key for a new request.');
    return first;
  }

  private async keep(call: Call, answer: { status: number; headers: object; body: unknown }): Promise<void> {
    await this.db.query({
      name: 'keep-answer',
      text: `UPDATE ${this.schema}.first_answers SET status = $4, body = $5, headers = $6 WHERE owner = $1 AND route = $2 AND key = $3`,
      values: [call.principal, call.route, call.key, answer.status, JSON.stringify(answer.body), JSON.stringify(answer.headers)],
    });
  }
}

function replay<T>({ status, body, headers }: Stored): Answer<T> {
  const said = JSON.parse(body ?? 'null') as unknown;
  if (status === -1) {
    const { message, field } = said as { message: string; field?: string };
    throw new Refusal('conflict', message, field);
  }
  return new Answer(status ?? 202, said as T, { ...(JSON.parse(headers ?? '{}') as Record<string, string>), 'idempotency-replayed': 'true' });
}
