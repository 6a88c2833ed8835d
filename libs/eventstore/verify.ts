import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import type pg from 'pg';
import { AT, type CopiedRow } from './copied-row.js';
import { copyRows } from './copy-reader.js';

export interface Verified {
  /** Messages that were checked. */
  readonly messages: number;
  /** Hex; publish it, and whoever has it can show later that nothing before it was changed. */
  readonly headHash: string;
  readonly fault?: Fault;
}

export interface Fault {
  readonly position: number;
  readonly streamId: string;
  readonly what: string;
}

const CHUNK = 20_000;
const HASH_BYTES = 32;
const NOTHING = '\0'.repeat(HASH_BYTES);
const NEWLINE = 10;
const ZERO = 48;

/**
 * Checks the whole log: no position and no version is missing, every message's hash follows from
 * its bytes and the message before it in its stream, and all of them together from the head's. Ends at the first fault.
 */
export async function verify(client: pg.Client, onProgress?: (checked: number, of: number) => void): Promise<Verified> {
  const { rows: [head] } = await client.query<{ seq: string; hash: Buffer }>("SELECT seq, hash FROM log.head WHERE log = 'main'");
  const upTo = Number(head!.seq);
  const chain = new Chain();
  for (let after = 0; after < upTo && !chain.fault; after += CHUNK) {
    await copyRows(client, { after, upTo: Math.min(after + CHUNK, upTo) }, (row) => chain.take(row));
    onProgress?.(Math.min(after + CHUNK, upTo), upTo);
  }
  const fault = chain.fault ?? chain.compareHead(upTo, head!.hash);
  return { messages: chain.position, headHash: head!.hash.toString('hex'), ...(fault && { fault }) };
}

interface Stream {
  version: number;
  hash: string;
}

/** Hashes are strings of a character for each byte (latin1, which hash() calls binary): a Buffer for each would take longer than the hashing. */
class Chain {
  position = 0;
  fault: Fault | undefined;
  private readonly streams = new Map<string, Stream>();
  private readonly whole = Buffer.alloc(2 * HASH_BYTES);
  private scratch = Buffer.alloc(1 << 16);

  take(row: CopiedRow): void {
    if (this.fault) return;
    const position = row.bigint(AT.seq);
    if (position !== this.position + 1) return this.blame(position, row, `position ${this.position + 1} is missing`);
    const stream = this.streamOf(row.latin1(AT.streamId));
    const version = row.integer(AT.version);
    if (version !== stream.version + 1) return this.blame(position, row, `version ${stream.version + 1} is missing: ${version} came`);
    const computed = hash('sha256', this.bytes(row, stream.hash), 'binary');
    if (row.latin1(AT.hash) !== computed) return this.blame(position, row, 'its hash does not follow from its bytes and the message before it');
    stream.version = version;
    stream.hash = computed;
    this.whole.write(computed, HASH_BYTES, 'latin1');
    this.whole.write(hash('sha256', this.whole, 'binary'), 'latin1');
    this.position = position;
  }

  compareHead(upTo: number, headHash: Buffer): Fault | undefined {
    if (this.position !== upTo) return { position: this.position + 1, streamId: '', what: `the log should reach position ${upTo}` };
    if (this.whole.compare(headHash, 0, HASH_BYTES, 0, HASH_BYTES) !== 0) return { position: upTo, streamId: '', what: 'the hash of the head does not follow from the messages' };
    return undefined;
  }

  /** What log.append() hashes: the hash before, then the fields, a line each. */
  private bytes(row: CopiedRow, before: string): Buffer {
    this.reserve(row.byteLength);
    const { scratch } = this;
    let at = scratch.write(before, 'latin1');
    at = row.copy(AT.streamId, scratch, at);
    scratch[at++] = NEWLINE;
    at = writeDigits(row.integer(AT.version), scratch, at);
    scratch[at++] = NEWLINE;
    at = row.copyUuid(AT.id, scratch, at);
    scratch[at++] = NEWLINE;
    at = row.copy(AT.kind, scratch, at);
    scratch[at++] = NEWLINE;
    at = row.copy(AT.type, scratch, at);
    scratch[at++] = NEWLINE;
    at = writeDigits(row.integer(AT.schemaVersion), scratch, at);
    for (const column of [AT.recordedAt, AT.data, AT.meta]) {
      scratch[at++] = NEWLINE;
      at = row.copy(column, scratch, at);
    }
    return scratch.subarray(0, at);
  }

  private reserve(rowBytes: number): void {
    if (this.scratch.length < rowBytes + 256) this.scratch = Buffer.alloc(2 * (rowBytes + 256));
  }

  private streamOf(key: string): Stream {
    let stream = this.streams.get(key);
    if (!stream) this.streams.set(key, (stream = { version: 0, hash: NOTHING }));
    return stream;
  }

  private blame(position: number, row: CopiedRow, what: string): void {
    this.fault = { position, streamId: row.text(AT.streamId), what };
  }
}

function writeDigits(value: number, target: Buffer, at: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = Math.trunc(rest / 10)) end++;
  for (let i = end - 1; i >= at; i--) {
    target[i] = ZERO + (value % 10);
    value = Math.trunc(value / 10);
  }
  return end;
}
