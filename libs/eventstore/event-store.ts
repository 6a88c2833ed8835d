import pg from 'pg';
import type { StoredMessage } from '#contracts/message.js';
import { LogUnavailable, type AppendPart, type Appended } from './append.js';
import { Appender } from './appender.js';
import { isRefusedByServer, Session } from './session.js';
import { COLUMNS, messageFromRaw, rawFromRow, type RawMessage } from './stored.js';

export { ConflictError, LogUnavailable, type AppendPart, type Appended } from './append.js';
export type { RawMessage } from './stored.js';

export interface EventStoreOptions {
  /** Signs in with the role of the app. */
  readonly connectionString: string;
  readonly app: string;
  /** Called after an append is on disk: ring the doorbell here. */
  readonly onAppended?: (lastPosition: number) => void;
  /** Connections for reading; two more append and flush. */
  readonly poolSize?: number;
}

export interface ReadOptions {
  readonly after: number;
  readonly limit: number;
  readonly categories?: readonly string[];
}

/**
 * The log in PostgreSQL. Positions are dense, from 1, in commit order: readers need no trick and a gap is a fault. Connects
 * when first used, and again after the server was away; meanwhile everything fails with LogUnavailable.
 */
export class EventStore {
  readonly #options: EventStoreOptions;
  readonly #pool: pg.Pool;
  readonly #appender: Appender;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;

  constructor(options: EventStoreOptions) {
    this.#options = options;
    this.#pool = new pg.Pool({ connectionString: options.connectionString, application_name: options.app, max: options.poolSize ?? 4, keepAlive: true });
    this.#pool.on('error', () => undefined);
    this.#appender = new Appender(() => this.#open(), options.onAppended ?? (() => undefined));
  }

  /**
   * Appends to all the streams or to none. Resolves when it is on disk. Throws ConflictError when a stream is not at the version
   * expected, LogUnavailable when the outcome is unknown.
   */
  async append(parts: readonly AppendPart[]): Promise<Appended> {
    return this.#appender.append(parts);
  }

  /** A stream's messages; what was appended a moment ago may not be on disk yet (see barrier). */
  async readStream(streamId: string, afterVersion = 0): Promise<StoredMessage[]> {
    const rows = await this.#rows('stream', `SELECT ${COLUMNS} FROM log.messages WHERE stream_id = $1 AND version > $2 ORDER BY version`, [streamId, afterVersion]);
    return rows.map((row) => messageFromRaw(rawFromRow(row)));
  }

  /** The message that a stream began with; undefined: there is no such stream. However long it is by now. */
  async readFirst(streamId: string): Promise<StoredMessage | undefined> {
    const [row] = await this.#rows('first', `SELECT ${COLUMNS} FROM log.messages WHERE stream_id = $1 AND version = 1`, [streamId]);
    return row && messageFromRaw(rawFromRow(row));
  }

  /** The messages of several streams, as they were at one moment. */
  async readStreams(streamIds: readonly string[]): Promise<Map<string, StoredMessage[]>> {
    const rows = await this.#rows('streams', `SELECT ${COLUMNS} FROM log.messages WHERE stream_id = ANY($1) ORDER BY stream_id, version`, [streamIds]);
    const streams = new Map(streamIds.map((id): [string, StoredMessage[]] => [id, []]));
    for (const row of rows) {
      const message = messageFromRaw(rawFromRow(row));
      streams.get(message.streamId)!.push(message);
    }
    return streams;
  }

  /** Messages after a position, in order, of all categories or of some; only such as are on disk. */
  async read(options: ReadOptions): Promise<StoredMessage[]> {
    return (await this.readRaw(options)).map(messageFromRaw);
  }

  /** The same with the exact stored texts. What it gives may be passed on: no crash takes it back. */
  async readRaw({ after, limit, categories }: ReadOptions): Promise<RawMessage[]> {
    const filter = categories ? "AND split_part(stream_id, '/', 1) = ANY($3)" : '';
    const values = categories ? [after, limit, categories] : [after, limit];
    return this.#onDisk(async () => {
      const rows = await this.#rows(categories ? 'read-some' : 'read', `SELECT ${COLUMNS} FROM log.messages WHERE seq > $1 ${filter} ORDER BY seq LIMIT $2`, values);
      return rows.map(rawFromRow);
    }, (messages) => messages.at(-1)?.position ?? 0);
  }

  /** Position of the last message that is on disk; 0: there is none. */
  async head(): Promise<number> {
    return this.#onDisk(async () => Number((await this.#rows('head', "SELECT seq FROM log.head WHERE log = 'main'", []))[0]![0]), (seq) => seq);
  }

  /** For a doorbell, which is rung when an append is on disk: what is read up to there needs no flush of ours. */
  heard(position: number): void {
    this.#session?.heard(position);
  }

  /**
   * Before reading what an answer will rest on: gives a function that resolves when everything seen since is on disk (a
   * reader sees messages a moment before they are), and fails with LogUnavailable when the server went down in between.
   */
  async barrier(): Promise<() => Promise<void>> {
    const session = await this.#open();
    return async () => {
      await session.flush();
    };
  }

  /** Waits for what is being appended, then disconnects. */
  async close(): Promise<void> {
    await this.#appender.settled();
    await Promise.all([this.#session?.close(), this.#pool.end()]);
  }

  /** Flushes after reading, unless all that was read is known to be on disk. */
  async #onDisk<T>(read: () => Promise<T>, lastOf: (value: T) => number): Promise<T> {
    const session = await this.#open();
    const value = await read();
    if (lastOf(value) > session.flushedTo) await session.flush();
    return value;
  }

  /** A statement with a name is parsed once a connection. */
  async #rows(name: string, text: string, values: unknown[]): Promise<string[][]> {
    try {
      const result = await this.#pool.query({ name, text, values, rowMode: 'array', types: AS_TEXT });
      return result.rows as string[][];
    } catch (error) {
      throw isRefusedByServer(error) ? error : new LogUnavailable(error);
    }
  }

  async #open(): Promise<Session> {
    if (this.#session && !this.#session.isLost) return this.#session;
    this.#opening ??= Session.open(this.#options.connectionString, this.#options.app)
      .then((session) => (this.#session = session))
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }
}

/** Columns as the server wrote them. */
const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (value: unknown) => value };
