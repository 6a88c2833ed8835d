import type { Buffer } from 'node:buffer';
import type { Meta, StoredMessage } from '#contracts/message.js';
import { decodeData, type MessageType } from '#contracts/registry.js';
import { AT, type CopiedRow } from './copied-row.js';

/**
 * A message of a replay: what is in every fold is read at once, the rest when it is asked for. Its lazy fields are the class's, not
 * the object's own: read them, do not spread the message.
 */
class CopiedMessage {
  #data: unknown;
  #meta: Meta | undefined;

  constructor(
    readonly position: number,
    readonly streamId: string,
    readonly version: number,
    readonly type: MessageType,
    private readonly bytes: Buffer,
    private readonly at: number,
  ) {}

  get data(): unknown {
    return (this.#data ??= decodeData(this.type, this.text(AT.data, 'utf8')));
  }

  get meta(): Meta {
    return (this.#meta ??= JSON.parse(this.text(AT.meta, 'utf8')) as Meta);
  }

  get id(): string {
    return this.text(AT.id, 'hex').replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  get kind(): string {
    return shared(this.text(AT.kind, 'latin1'));
  }

  get schemaVersion(): number {
    return this.bytes.readInt32BE(this.startOf(AT.schemaVersion));
  }

  get recordedAt(): string {
    return this.text(AT.recordedAt, 'latin1');
  }

  get hash(): string {
    return this.text(AT.hash, 'hex');
  }

  toJSON(): object {
    const { position, streamId, version, id, kind, type, schemaVersion, data, meta, recordedAt, hash } = this;
    return { position, streamId, version, id, kind, type, schemaVersion, data, meta, recordedAt, hash };
  }

  private text(column: number, encoding: BufferEncoding): string {
    const start = this.startOf(column);
    return this.bytes.toString(encoding, start, start + this.bytes.readInt32BE(start - 4));
  }

  private startOf(column: number): number {
    let start = this.at;
    for (let i = 0; i < column; i++) start += this.bytes.readInt32BE(start - 4) + 4;
    return start;
  }
}

/** The message that a row holds; it keeps the bytes that the row came in. */
export function copiedMessage(row: CopiedRow, position: number, streamId: string): StoredMessage {
  return new CopiedMessage(position, streamId, row.integer(AT.version), shared(row.latin1(AT.type)) as MessageType, row.bytes, row.startOf(AT.seq)) as unknown as StoredMessage;
}

const known = new Map<string, string>();

/** One string for all that say the same: of names that every fold compares with others, which is quickest where they are one object. */
function shared(name: string): string {
  const same = known.get(name);
  if (same === undefined) known.set(name, name);
  return same ?? name;
}
