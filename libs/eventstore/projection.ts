import { makeCheckpoints, readCheckpoint } from './checkpoint.js';
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
 * Keeps tables equal to the log. Rows, position and epoch move in one transaction, under a lock on the position, so that
 * each message counts once, however many processes run the same projection. Readers use the views named like the tables.
 */
export class Projection {
  #position = 0;
  #isStopped = false;
  #isRung = false;
  #rest: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #waiters: { readonly position: number; readonly resolve: () => void }[] = [];
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
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isRung = false;
      const more = await this.#step().catch((error: unknown) => {
        this.options.onError?.(error);
        return false;
      });
      if (!more && !this.#isRung && !this.#isStopped) await this.#pause();
    }
  }

  /** Takes one batch; whether there may be another. */
  async #step(): Promise<boolean> {
    const { store, db, schema, definition } = this.options;
    if ((await store.head()) === this.#position) return false;
    const client = await db.connect();
    try {
      // On disk before anybody is told: a position that a crash could take back would never be caught up with.
      await client.query('BEGIN; SET LOCAL synchronous_commit = on');
      const checkpoint = await readCheckpoint(client, schema, definition.name, 'FOR UPDATE');
      const isOurs = checkpoint?.version === definition.version;
      const batch = isOurs ? await store.read({ after: checkpoint.position, limit: BATCH }) : [];
      const position = (checkpoint?.position ?? 0) + batch.length;
      if (batch.length > 0) {
        assertDense(batch, checkpoint!.position);
        await definition.apply(wanted(definition, batch), new TableTx(client, schema, checkpoint!.epoch, this.#tables));
        await client.query(`UPDATE ${schema}.checkpoints SET position = $2 WHERE projection = $1`, [definition.name, position]);
      }
      await client.query('COMMIT');
      client.release();
      this.#moveTo(position);
      return batch.length === BATCH;
    } catch (error) {
      client.release(true);
      throw error;
    }
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
