import { Buffer } from 'node:buffer';
import { storableJson, storableText } from './storable-text.js';
import type { Row, TableDefinition } from './tables.js';

/** What stands before and after the rows of a COPY: a signature, flags, and the length of an extension that there is none of; then an end in place of a row. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
const FIRST_BYTES = 1 << 16;

/** Writes a cell that is not null, its length before it; answers where it ends. */
type Write = (buffer: Buffer, at: number, cell: never) => number;

/** PostgreSQL's binary form of the types that a projection's columns are of; there is room for the cell. */
const WRITE: Readonly<Record<string, Write>> = {
  text: writeText,
  json: writeText,
  jsonb(buffer, at, cell: string) {
    const JSONB_VERSION = 1;
    const end = writeText(buffer, at + 1, cell);
    buffer[at + 4] = JSONB_VERSION;
    buffer.writeInt32BE(end - at - 4, at);
    return end;
  },
  int: writeInteger,
  integer: writeInteger,
  bigint: (buffer, at, cell: number) => buffer.writeUInt32BE(cell >>> 0, buffer.writeInt32BE(Math.floor(cell / 2 ** 32), buffer.writeInt32BE(8, at))),
  boolean: (buffer, at, cell: boolean) => buffer.writeUInt8(Number(cell), buffer.writeInt32BE(1, at)),
};
/** A length and a number. */
const NUMBER_BYTES = 12;
const BYTES_OF_A_CHARACTER = 3;

function writeText(buffer: Buffer, at: number, cell: string): number {
  const length = buffer.write(cell, at + 4);
  return buffer.writeInt32BE(length, at) + length;
}

function writeInteger(buffer: Buffer, at: number, cell: number): number {
  return buffer.writeInt32BE(cell, buffer.writeInt32BE(4, at));
}

/** Rows of a table, gathered in the binary form of COPY: nothing needs escaping or parsing, neither here nor there. */
export class CopyRows {
  readonly #columns: readonly { readonly name: string; readonly isJson: boolean; readonly write: Write }[];
  readonly #cells: unknown[];
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #used = 0;

  constructor({ table, columns }: TableDefinition) {
    this.#columns = Object.entries(columns).map(([name, type]) => {
      const write = WRITE[type];
      if (!write) throw new Error(`The column ${name} of ${table} is of the type ${type}; a projection's are of one of ${Object.keys(WRITE).join(', ')}.`);
      return { name, isJson: type.startsWith('json'), write };
    });
    this.#cells = this.#columns.map(() => null);
  }

  get byteLength(): number {
    return this.#used;
  }

  add(row: Row): void {
    let most = 2 + NUMBER_BYTES * this.#columns.length;
    for (const [i, { name, isJson }] of this.#columns.entries()) {
      const cell = row[name] ?? null;
      const written = (this.#cells[i] = cell !== null && (isJson || typeof cell === 'object') ? storableJson(cell) : typeof cell === 'string' ? storableText(cell) : cell);
      if (typeof written === 'string') most += BYTES_OF_A_CHARACTER * written.length;
    }
    this.#reserve(most);
    let at = this.#buffer.writeInt16BE(this.#columns.length, this.#used);
    for (const [i, { write }] of this.#columns.entries()) at = this.#cells[i] === null ? this.#buffer.writeInt32BE(-1, at) : write(this.#buffer, at, this.#cells[i] as never);
    this.#used = at;
  }

  /** All that there are; begins anew. */
  take(): Buffer {
    const rows = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafeSlow(this.#buffer.length);
    this.#used = 0;
    return rows;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#used + bytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}

/** What COPY … FROM STDIN (FORMAT binary) is sent. */
export function* copyFile(rows: Iterable<Buffer>): Generator<Buffer> {
  yield HEADER;
  yield* rows;
  yield TRAILER;
}
