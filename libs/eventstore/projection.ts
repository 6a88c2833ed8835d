import type pg from 'pg';
import { makeCheckpoints, readCheckpoint, type Checkpoint } from './checkpoint.js';
import { assertDense, wanted, type ProjectionDefinition, type ProjectionPlace } from './projection-definition.js';
import { compare, rebuild, type Comparison, type Progress } from './rebuild.js';
import { TableTx } from './table-tx.js';
import type { TableDefinition } from './tables.js';

export type { ProjectionDefinition, ProjectionPlace } from './projection-definition.js';
export type { ProjectionTx, TableDefinition } from './tables.js';
export type { Comparison, Progress } from './rebuild.js';

export interface ProjectionOptions extends ProjectionPlace {
  readonly definition: ProjectionDefinition;
  readonly onProgress?: (progress: Progress) => void;
  /** Told when a batch fails; it is tried again until it passes. */
  readonly onError?: (error: unknown) => void;
  /** How often the log is looked at when nobody calls. Milliseconds. */
  readonly pollMs?: number;
}

const BATCH = 500;
const POLL_MS = 1_000;

/**
 * Keeps tables equal to the log. Rows, position and epoch move in one statement, and only from the position that the rows were read at, so that
 * each message counts once, however many processes run the same projection. Readers use the views named like the tables.
 */
export class Projection {
  #position = 0;
  #isStopped = false;
  #isRung = false;
  #rest: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #waiters: { readonly position: number; readonly resolve: () => void }[] = [];
  #client: pg.PoolClient | undefined;
  /** As it was last seen; undefined: look before the next batch. */
  #checkpoint: Checkpoint | undefined;
  readonly #tables: ReadonlyMap<string, TableDefinition>;

  constructor(private readonly options: ProjectionOptions) {
    this.#tables = new Map(options.definition.tables.map((definition) => [definition.table, definition]));
  }

  /** Last position whose rows can be read. */
  get position(): number {
    return this.#position;
  }

  /** Makes the tables from the log if they are not there or of another version, then follows the log. */
  async start(): Promise<void> {
    const { db, schema, definition, onProgress } = this.options;
    await makeCheckpoints(db, schema);
    const checkpoint = await readCheckpoint(db, schema, definition.name);
    this.#position = checkpoint?.version === definition.version ? checkpoint.position : await rebuild(this.options, definition, onProgress).then((done) => done.position);
    this.#running = this.#run();
  }

  /** Looks at the log now; for a doorbell. */
  wake(): void {
    this.#isRung = true;
    this.#rest?.();
  }

  /** Whether the rows hold everything up to this position, within the time. */
  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    await this.reached(position, AbortSignal.timeout(timeoutMs));
    return this.#position >= position;
  }

  /** Resolves when the rows hold everything up to this position, or when nobody waits any more. */
  async reached(position: number, signal: AbortSignal): Promise<void> {
    if (this.#position >= position || signal.aborted || this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const waiter = { position, resolve };
      this.#waiters.push(waiter);
      signal.addEventListener('abort', () => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter);
        resolve();
      }, { once: true });
      this.wake();
    });
  }

  /** Makes the tables anew beside the live ones and swaps them in. */
  async rebuild(onProgress = this.options.onProgress): Promise<{ position: number; swapMs: number }> {
    return rebuild(this.options, this.options.definition, onProgress);
  }

  /** Whether a rebuild from the log would give what is there now. */
  async compare(onProgress = this.options.onProgress): Promise<Comparison> {
    return compare(this.options, this.options.definition, onProgress);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#rest?.();
    await this.#running;
    this.#forget();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isRung = false;
      const more = await this.#step().catch((error: unknown) => {
        this.#checkpoint = undefined;
        this.options.onError?.(error);
        return false;
      });
      if (!more && !this.#isRung && !this.#isStopped) await this.#pause();
    }
  }

  /** Takes one batch; whether there may be another. */
  async #step(): Promise<boolean> {
    const { store, schema, definition } = this.options;
    const client = await this.#connect();
    const checkpoint = (this.#checkpoint ??= await this.#look(client));
    if (checkpoint.version !== definition.version) {
      this.#checkpoint = undefined;
      return false;
    }
    const batch = await store.read({ after: checkpoint.position, limit: BATCH });
    if (batch.length === 0) return false;
    assertDense(batch, checkpoint.position);
    const position = checkpoint.position + batch.length;
    const tx = new TableTx(client, schema, checkpoint.epoch, this.#tables);
    const isOurs = await definition.apply(wanted(definition, batch), tx)
      .then(() => tx.write({ projection: definition.name, version: definition.version, from: checkpoint.position, to: position }))
      .catch(async (error: unknown) => {
        if ((await this.#look(client)).epoch === checkpoint.epoch) throw error;
        return false;
      });
    this.#checkpoint = isOurs ? { ...checkpoint, position } : undefined;
    if (isOurs) this.#moveTo(position);
    return !isOurs || batch.length === BATCH;
  }

  /**
   * The connection that rows are written through. It does not wait for the disk: what a crash of the server takes back is in the log, and follows
   * again. A crash ends this connection, and with it goes what is believed of the position, until the checkpoint was read again.
   */
  async #connect(): Promise<pg.PoolClient> {
    if (this.#client) return this.#client;
    const client = await this.options.db.connect();
    const lose = (): void => {
      if (this.#client === client) this.#forget();
    };
    client.on('error', lose).on('end', lose);
    this.#client = client;
    // Rows are found by their keys, a few at a time, whatever the planner believes of tables that have just begun to grow.
    await client.query('SET synchronous_commit = off; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan');
    return client;
  }

  async #look(client: pg.PoolClient): Promise<Checkpoint> {
    const { schema, definition } = this.options;
    const checkpoint = await readCheckpoint(client, schema, definition.name);
    if (!checkpoint) throw new Error(`The checkpoint of ${definition.name} has gone.`);
    this.#moveTo(checkpoint.position);
    return checkpoint;
  }

  #forget(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#checkpoint = undefined;
    this.#position = 0;
    client?.release(true);
    this.wake();
  }

  #moveTo(position: number): void {
    this.#position = position;
    const reached = this.#waiters.filter((waiter) => waiter.position <= position);
    if (reached.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > position);
    for (const waiter of reached) waiter.resolve();
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.options.pollMs ?? POLL_MS);
      this.#rest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#rest = undefined;
  }
}
