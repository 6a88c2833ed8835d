import { Buffer } from 'node:buffer';

/** Places of the columns in a row. */
export const AT = { seq: 0, streamId: 1, version: 2, id: 3, kind: 4, type: 5, schemaVersion: 6, data: 7, meta: 8, recordedAt: 9, hash: 10 } as const;
const COLUMN_COUNT = 11;

/** A row of log.messages as COPY … BINARY sends it: a count of fields, then a length and the bytes of each. The object is used again for the next row, the bytes are not. */
export class CopiedRow {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #starts = new Int32Array(COLUMN_COUNT);
  readonly #ends = new Int32Array(COLUMN_COUNT);

  /** Takes the next row. */
  take(bytes: Buffer, at: number): void {
    this.#bytes = bytes;
    let offset = at + 2;
    for (let i = 0; i < COLUMN_COUNT; i++) {
      const start = offset + 4;
      offset = start + bytes.readInt32BE(offset);
      this.#starts[i] = start;
      this.#ends[i] = offset;
    }
  }

  /** What holds the row, and others beside it. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Where the column begins in it. */
  startOf(column: number): number {
    return this.#starts[column]!;
  }

  get byteLength(): number {
    return this.#ends[COLUMN_COUNT - 1]! - this.#starts[0]!;
  }

  text(column: number): string {
    return this.#bytes.toString('utf8', this.#starts[column], this.#ends[column]);
  }

  /** A character for each byte: the text itself where it is ASCII, else as good a key. */
  latin1(column: number): string {
    return this.#bytes.toString('latin1', this.#starts[column], this.#ends[column]);
  }

  integer(column: number): number {
    return this.#bytes.readInt32BE(this.#starts[column]);
  }

  bigint(column: number): number {
    const start = this.#starts[column]!;
    return this.#bytes.readInt32BE(start) * 2 ** 32 + this.#bytes.readUInt32BE(start + 4);
  }

  /** Copies the column's bytes; answers where they end. */
  copy(column: number, target: Buffer, at: number): number {
    const start = this.#starts[column]!;
    const end = this.#ends[column]!;
    if (end - start > SHORT) return at + this.#bytes.copy(target, at, start, end);
    for (let i = start; i < end; i++) target[at++] = this.#bytes[i]!;
    return at;
  }

  /** Writes the column's UUID as text; answers where it ends. */
  copyUuid(column: number, target: Buffer, at: number): number {
    const start = this.#starts[column]!;
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) target[at++] = HYPHEN;
      const byte = this.#bytes[start + i]!;
      target[at++] = HEX.charCodeAt(byte >> 4);
      target[at++] = HEX.charCodeAt(byte & 15);
    }
    return at;
  }
}

const HEX = '0123456789abcdef';
const HYPHEN = 45;
/** Up to so many bytes a loop is quicker than a call. */
const SHORT = 48;
