import pg from 'pg';
import { LogUnavailable } from './append.js';
import { argumentsOf, argumentsOfOne, type Request, type Verdict } from './batch.js';

const APPEND = 'SELECT * FROM log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)';
const APPEND_ONE = 'SELECT * FROM log.append_one($1, $2, $3, $4, $5, $6, $7, $8)';
/**
 * With arrays the server would plan anew each time, which takes longer than the append; and a plan made while the tables are still
 * small has to be right for large ones.
 */
const PLANS = '-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off';
/** Commits a record that must reach the disk, and everything before it with it; answers what had been committed until then. */
const FLUSH = "SELECT (SELECT seq FROM log.head WHERE log = 'main') AS seq, pg_logical_emit_message(true, 'hostplane', '')";

/**
 * Two connections that were opened together: one appends without waiting for the disk, the other waits for it. Both end when
 * either does: a flush that succeeds here proves that the server has not gone down since the session began, and so
 * that whatever was seen meanwhile is on disk.
 */
export class Session {
  #flushedTo = 0;
  #lost: LogUnavailable | undefined;
  #flushing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(
    readonly appender: pg.Client,
    readonly flusher: pg.Client,
  ) {
    for (const client of [appender, flusher]) {
      client.on('error', (error) => this.#lose(error));
      client.on('end', () => this.#lose(new Error('the connection ended')));
    }
  }

  static async open(connectionString: string, name: string): Promise<Session> {
    const connect = async (synchronousCommit: string): Promise<pg.Client> => {
      const client = new pg.Client({ connectionString, application_name: name, options: `-c synchronous_commit=${synchronousCommit} ${PLANS}`, keepAlive: true });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    const [appender, flusher] = await Promise.allSettled([connect('off'), connect('on')]);
    if (appender.status === 'fulfilled' && flusher.status === 'fulfilled') return new Session(appender.value, flusher.value);
    for (const opened of [appender, flusher]) if (opened.status === 'fulfilled') void opened.value.end();
    throw new LogUnavailable(appender.status === 'rejected' ? appender.reason : (flusher as PromiseRejectedResult).reason);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Everything up to this position is on disk. */
  get flushedTo(): number {
    return this.#flushedTo;
  }

  /** Somebody else has flushed: everything up to this position is on disk. */
  heard(position: number): void {
    if (position > this.#flushedTo) this.#flushedTo = position;
  }

  /** One round trip, without the disk. Throws LogUnavailable when nobody knows whether it happened, the server's own error when it did not. */
  async append(requests: readonly Request[]): Promise<Verdict> {
    const result = await this.#query<Verdict>(this.appender, { name: 'append', text: APPEND, values: argumentsOf(requests) });
    return result.rows[0]!;
  }

  /** The same with the disk: whoever else appends waits for the flush as well. */
  async appendDurably(requests: readonly Request[]): Promise<Verdict> {
    const verdict = (await this.#appendOne(requests)) ?? (await this.#query<Verdict>(this.flusher, { name: 'append', text: APPEND, values: argumentsOf(requests) })).rows[0]!;
    if (verdict.hashes.length > 0) this.#flushedTo = Math.max(this.#flushedTo, Number(verdict.last_seq));
    else await this.flush(); // only conflicts, and what they conflict with may not be on disk yet
    return verdict;
  }

  /** The quick way of a single message. Undefined: nothing was done, it takes append() to tell why. */
  async #appendOne(requests: readonly Request[]): Promise<Verdict | undefined> {
    const values = argumentsOfOne(requests);
    if (!values) return undefined;
    const result = await this.#query<Omit<Verdict, 'conflicts' | 'actual'>>(this.flusher, { name: 'append_one', text: APPEND_ONE, values });
    const verdict = result.rows[0]!;
    return verdict.last_seq === null ? undefined : { ...verdict, conflicts: [0], actual: [0] };
  }

  /** Resolves when all that was committed before the call is on disk. Calls that wait share a flush. */
  flush(): Promise<void> {
    this.#next ??= (this.#flushing ?? Promise.resolve()).catch(() => undefined).then(async () => {
      this.#flushing = this.#next;
      this.#next = undefined;
      const result = await this.#query<{ seq: string }>(this.flusher, { name: 'flush', text: FLUSH });
      this.#flushedTo = Math.max(this.#flushedTo, Number(result.rows[0]!.seq));
    });
    return this.#next;
  }

  async close(): Promise<void> {
    this.#lost ??= new LogUnavailable(new Error('it was closed'));
    await Promise.allSettled([this.appender.end(), this.flusher.end()]);
  }

  async #query<R extends pg.QueryResultRow>(client: pg.Client, query: pg.QueryConfig): Promise<pg.QueryResult<R>> {
    if (this.#lost) throw this.#lost;
    try {
      const result = await client.query<R>(query);
      if (this.#lost) throw this.#lost;
      return result;
    } catch (error) {
      if (this.#lost) throw this.#lost;
      if (!isRefusedByServer(error)) {
        this.#lose(error);
        throw this.#lost ?? new LogUnavailable(error);
      }
      throw error;
    }
  }

  #lose(error: unknown): void {
    if (this.#lost) return;
    this.#lost = new LogUnavailable(error);
    void this.appender.end().catch(() => undefined);
    void this.flusher.end().catch(() => undefined);
  }
}

/** Whether the server answered with an error of the statement, so that its transaction has certainly ended without effect. */
export function isRefusedByServer(error: unknown): boolean {
  // Classes 57P: the server goes down or ended the connection; 08: the connection itself; 53 and 58: it is full or broken, for now.
  return error instanceof pg.DatabaseError && !/^(57P|08|53|58)/.test(error.code ?? '');
}
