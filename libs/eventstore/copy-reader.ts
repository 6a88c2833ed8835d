import { Buffer } from 'node:buffer';
import type pg from 'pg';
import { LogUnavailable } from './append.js';
import { COLUMNS } from './stored.js';

/** A row of log.messages as COPY … BINARY sends it. Valid only during the call that it is handed to: the bytes are used again. */
export class CopiedRow {
  #buffer: Buffer = Buffer.alloc(0);
  readonly #starts = new Int32Array(COLUMN_COUNT);
  readonly #ends = new Int32Array(COLUMN_COUNT);

  /** Takes the next row: a count of fields, then a length and the bytes of each. */
  take(buffer: Buffer, at: number): void {
    this.#buffer = buffer;
    let offset = at + 2;
    for (let i = 0; i < COLUMN_COUNT; i++) {
      const start = offset + 4;
      offset = start + buffer.readInt32BE(offset);
      this.#starts[i] = start;
      this.#ends[i] = offset;
    }
  }

  /** Copies the whole row, for whoever keeps it longer than the call; answers where it ends. */
  keep(target: Buffer, at: number): number {
    return at + this.#buffer.copy(target, at, this.#starts[0]! - 4, this.#ends[COLUMN_COUNT - 1]);
  }

  get byteLength(): number {
    return this.#ends[COLUMN_COUNT - 1]! - this.#starts[0]! + 4;
  }

  text(column: number): string {
    return this.#buffer.toString('utf8', this.#starts[column], this.#ends[column]);
  }

  /** For columns that are known to be ASCII. */
  ascii(column: number): string {
    return this.#buffer.toString('latin1', this.#starts[column], this.#ends[column]);
  }

  integer(column: number): number {
    return this.#buffer.readInt32BE(this.#starts[column]);
  }

  bigint(column: number): number {
    const start = this.#starts[column]!;
    return this.#buffer.readInt32BE(start) * 2 ** 32 + this.#buffer.readUInt32BE(start + 4);
  }

  /** Copies the column's bytes; answers where they end. */
  copy(column: number, target: Buffer, at: number): number {
    const start = this.#starts[column]!;
    const end = this.#ends[column]!;
    if (end - start > SHORT) return at + this.#buffer.copy(target, at, start, end);
    for (let i = start; i < end; i++) target[at++] = this.#buffer[i]!;
    return at;
  }

  /** Writes the column's UUID as text; answers where it ends. */
  copyUuid(column: number, target: Buffer, at: number): number {
    const start = this.#starts[column]!;
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) target[at++] = HYPHEN;
      const byte = this.#buffer[start + i]!;
      target[at++] = HEX.charCodeAt(byte >> 4);
      target[at++] = HEX.charCodeAt(byte & 15);
    }
    return at;
  }

  equals(column: number, other: Buffer): boolean {
    return this.#buffer.compare(other, 0, 32, this.#starts[column], this.#ends[column]) === 0;
  }
}

const HEX = '0123456789abcdef';
const HYPHEN = 45;
/** Up to so many bytes a loop is quicker than a call. */
const SHORT = 48;

/** Places of the columns in a row. */
export const AT = { seq: 0, streamId: 1, version: 2, id: 3, kind: 4, type: 5, schemaVersion: 6, data: 7, meta: 8, recordedAt: 9, hash: 10 } as const;
const COLUMN_COUNT = 11;

/** What COPY … BINARY begins with, before the length of its extension (none) and the first row. */
const SIGNATURE_LENGTH = 19;

/** Reads positions after + 1 … upTo, in order, and hands each row to `onRow` as it comes: the fastest way out of PostgreSQL. */
export async function copyRows(client: pg.ClientBase, range: Range, onRow: (row: CopiedRow) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.query(new CopyQuery(range, onRow, (error) => (error ? reject(error) : resolve())) as unknown as pg.Submittable);
  });
}

/**
 * The same, gathered: yields what `decode` makes of so many rows or a few more, and lets the server wait while they are worked
 * on. When the loop is left early, what is still to come is read and dropped.
 */
export async function* copyBatches<T>(client: pg.ClientBase, range: Range, size: number, decode: (row: CopiedRow) => T): AsyncGenerator<T[]> {
  let batch: T[] = [];
  let isEnded = false;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const query = new CopyQuery(range, (row) => {
    batch.push(decode(row));
    if (batch.length !== size) return;
    query.pause();
    wake();
  }, (error) => {
    isEnded = true;
    failure = error;
    wake();
  });
  client.query(query as unknown as pg.Submittable);
  const changed = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  try {
    for (;;) {
      if (batch.length < size && !isEnded) await changed();
      if (failure) throw failure;
      const full = batch;
      batch = [];
      query.resume();
      if (full.length > 0) yield full;
      else if (isEnded) return;
    }
  } finally {
    query.drop();
    while (!isEnded) await changed();
  }
}

interface Range {
  readonly after: number;
  readonly upTo: number;
}

interface CopyConnection {
  query(text: string): void;
  readonly stream: { pause(): void; resume(): void };
}

/** A query in the driver's sense. PostgreSQL sends a CopyData message a row. */
class CopyQuery {
  readonly #row = new CopiedRow();
  readonly #text: string;
  #connection: CopyConnection | undefined;
  #error: Error | undefined;
  #isBegun = false;
  #isDropped = false;

  constructor(
    { after, upTo }: Range,
    readonly onRow: (row: CopiedRow) => void,
    readonly onEnd: (error?: Error) => void,
  ) {
    this.#text = `COPY (SELECT ${COLUMNS} FROM log.messages WHERE seq > ${Math.trunc(after)} AND seq <= ${Math.trunc(upTo)} ORDER BY seq) TO STDOUT (FORMAT binary)`;
  }

  submit(connection: CopyConnection): void {
    this.#connection = connection;
    connection.query(this.#text);
  }

  pause(): void {
    this.#connection?.stream.pause();
  }

  resume(): void {
    this.#connection?.stream.resume();
  }

  drop(): void {
    this.#isDropped = true;
    this.resume();
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (this.#error || this.#isDropped) return;
    const start = this.#isBegun ? 0 : SIGNATURE_LENGTH;
    this.#isBegun = true;
    if (chunk.length < start + 2 || chunk.readInt16BE(start) === -1) return;
    try {
      this.#row.take(chunk, start);
      this.onRow(this.#row);
    } catch (error) {
      this.#error = error as Error;
    }
  }

  handleCommandComplete(): void {
    this.resume();
  }

  handleCopyOutResponse(): void {
    // Rows follow.
  }

  /** The server's error, or the connection's: no more follows of it. */
  handleError(error: Error): void {
    this.onEnd(isStatementError(error) ? error : new LogUnavailable(error));
  }

  handleReadyForQuery(): void {
    this.onEnd(this.#error);
  }
}

function isStatementError(error: Error): boolean {
  return /^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? '');
}
