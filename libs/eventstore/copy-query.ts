import { Buffer } from 'node:buffer';
import { LogUnavailable } from './append.js';
import { CopiedRow } from './copied-row.js';
import { COLUMNS } from './stored.js';

export interface Range {
  readonly after: number;
  readonly upTo: number;
}

type Listener = (chunk: Buffer) => void;

interface CopyConnection {
  query(text: string): void;
  readonly stream: {
    pause(): void;
    resume(): void;
    listeners(event: 'data'): Listener[];
    on(event: 'data', listener: Listener): void;
    off(event: 'data', listener: Listener): void;
  };
}

/** A message of the server's: a letter, then the length of the rest, itself included, in four bytes. */
const HEADER_LENGTH = 5;
const COPY_DATA = 'd'.charCodeAt(0);
const READY_FOR_QUERY = 'Z'.charCodeAt(0);
/** What COPY … BINARY begins with, before the first row: a signature, flags, and the length of an extension that there is none of. */
const SIGNATURE_LENGTH = 19;

/**
 * Positions after + 1 … upTo in order, as a query in the driver's sense. PostgreSQL sends a message a row: those are read straight from the
 * socket's bytes, since the driver would make an object and an event of each; all others go to the driver.
 */
export class CopyQuery {
  readonly #row = new CopiedRow();
  readonly #text: string;
  #connection: CopyConnection | undefined;
  #driver: Listener = () => undefined;
  #begun: Buffer = Buffer.alloc(0);
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
    const { stream } = connection;
    this.#driver = stream.listeners('data')[0]!;
    stream.on('data', this.#read);
    stream.off('data', this.#driver);
    connection.query(this.#text);
  }

  pause(): void {
    this.#connection?.stream.pause();
  }

  resume(): void {
    this.#connection?.stream.resume();
  }

  /** What is still to come is read and thrown away. */
  drop(): void {
    this.#isDropped = true;
    this.resume();
  }

  readonly #read = (chunk: Buffer): void => {
    const bytes = this.#begun.length > 0 ? Buffer.concat([this.#begun, chunk]) : chunk;
    let at = 0;
    for (let end; bytes.length - at >= HEADER_LENGTH && (end = at + 1 + bytes.readUInt32BE(at + 1)) <= bytes.length; at = end) {
      if (bytes[at] === COPY_DATA) this.#take(bytes, at + HEADER_LENGTH, end);
      else if (bytes[at] === READY_FOR_QUERY) return this.#handBack(bytes.subarray(at));
      else this.#driver(bytes.subarray(at, end));
    }
    this.#begun = bytes.subarray(at);
  };

  #take(bytes: Buffer, at: number, end: number): void {
    if (this.#error || this.#isDropped) return;
    const start = this.#isBegun ? at : at + SIGNATURE_LENGTH;
    this.#isBegun = true;
    if (end < start + 2 || bytes.readInt16BE(start) === -1) return;
    try {
      this.#row.take(bytes, start);
      this.onRow(this.#row);
    } catch (error) {
      this.#error = error as Error;
    }
  }

  /** Before the driver sees that the query is over, for it may send the next one at once. */
  #handBack(bytes: Buffer): void {
    const { stream } = this.#connection!;
    stream.on('data', this.#driver);
    stream.off('data', this.#read);
    this.#driver(bytes);
  }

  handleCommandComplete(): void {
    this.resume();
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
