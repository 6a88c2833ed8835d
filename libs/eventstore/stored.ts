import type { Meta, StoredMessage } from '#contracts/message.js';
import { decodeData, type MessageType } from '#contracts/registry.js';

/** A row of the log as it stands there: data and meta are the exact stored texts, not parsed. */
export interface RawMessage {
  readonly position: number;
  readonly streamId: string;
  readonly version: number;
  readonly id: string;
  readonly kind: 'event' | 'command';
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly meta: string;
  readonly recordedAt: string;
  /** Hex. */
  readonly hash: string;
}

/** Columns of log.messages, in the order in which everything here reads them. */
export const COLUMNS = 'seq, stream_id, version, id, kind, type, schema_version, data, meta, recorded_at, hash';

/** A row that was fetched as an array of texts. */
export function rawFromRow(row: readonly string[]): RawMessage {
  const [position, streamId, version, id, kind, type, schemaVersion, data, meta, recordedAt, hash] = row as [
    string, string, string, string, 'event' | 'command', string, string, string, string, string, string,
  ];
  return {
    position: Number(position), streamId, version: Number(version), id, kind, type,
    schemaVersion: Number(schemaVersion), data, meta, recordedAt, hash: hash.slice(2),
  };
}

/** The message that a raw row says. */
export function messageFromRaw(raw: RawMessage): StoredMessage {
  const type = raw.type as MessageType;
  return { ...raw, type, data: decodeData(type, raw.data), meta: JSON.parse(raw.meta) as Meta } as StoredMessage;
}
