import type { Buffer } from 'node:buffer';
import type { NewMessage, StoredMessage } from '#contracts/message.js';
import { encodeData, type MessageType } from '#contracts/registry.js';
import { ConflictError, type AppendPart, type Appended } from './append.js';
import { integerArray, textArray, uuidArray } from './binary-array.js';

/** Version of the shape of stored data; readers of an older one translate when they read. */
const SCHEMA_VERSION = 1;

/** One call of append(), encoded, with what waits for its outcome. */
export interface Request {
  readonly parts: readonly AppendPart[];
  readonly datas: readonly string[];
  readonly metas: readonly string[];
  readonly bytes: number;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

export type Encoded = Pick<Request, 'parts' | 'datas' | 'metas' | 'bytes'>;

/** Encodes early, so that a message that cannot be encoded fails its own caller only. */
export function encode(parts: readonly AppendPart[]): Encoded {
  if (parts.length === 0) throw new Error('An append needs at least one part.');
  if (new Set(parts.map((part) => part.streamId)).size < parts.length) throw new Error('An append names each stream once.');
  for (const { streamId, messages } of parts) {
    for (const { id } of messages) if (!UUID.test(id)) throw new Error(`Not a UUID: "${id}".`);
    if (!/^[a-z-]+\/[^\s/][^\s]*$/.test(streamId)) throw new Error(`Not a stream id: "${streamId}".`);
  }
  const messages = parts.flatMap((part) => part.messages);
  const datas = messages.map((message) => encodeData(message.type, message.data));
  const metas = messages.map(encodeMeta);
  return { parts, datas, metas, bytes: size(datas) + size(metas) };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function encodeMeta({ meta }: NewMessage): string {
  const { correlationId, causationId, actor, owner, member, traceparent } = meta;
  return JSON.stringify({ correlationId, causationId, actor, owner, member, traceparent });
}

function size(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

/** The arguments of log.append_one(); undefined: it is not for such requests. */
export function argumentsOfOne([request, ...others]: readonly Request[]): unknown[] | undefined {
  const { parts, datas, metas } = request!;
  const [part] = parts;
  const [message] = part!.messages;
  if (others.length > 0 || parts.length !== 1 || part!.messages.length !== 1 || part!.expectedVersion === 0) return undefined;
  return [part!.streamId, part!.expectedVersion, message!.id, message!.kind, message!.type, SCHEMA_VERSION, datas[0], metas[0]];
}

/** The arguments of log.append() for a batch. */
export function argumentsOf(requests: readonly Request[]): unknown[] {
  const index = new Map<string, number>();
  const partRequest: number[] = [], partStream: number[] = [], partExpected: number[] = [], partMessages: number[] = [];
  const messages: NewMessage[] = [];
  requests.forEach((request, r) => {
    for (const part of request.parts) {
      if (!index.has(part.streamId)) index.set(part.streamId, index.size + 1);
      partRequest.push(r + 1);
      partStream.push(index.get(part.streamId)!);
      partExpected.push(part.expectedVersion);
      partMessages.push(part.messages.length);
      messages.push(...part.messages);
    }
  });
  return [
    requests.length, textArray([...index.keys()]), integerArray(partRequest), integerArray(partStream), integerArray(partExpected), integerArray(partMessages),
    uuidArray(messages.map((m) => m.id)), textArray(messages.map((m) => m.kind)), textArray(messages.map((m) => m.type)), integerArray(messages.map(() => SCHEMA_VERSION)),
    textArray(requests.flatMap((r) => r.datas)), textArray(requests.flatMap((r) => r.metas)),
  ];
}

export const HASH_BYTES = 32;

/** What log.append() answers. */
export interface Verdict {
  readonly last_seq: string | null;
  readonly recorded_at: string;
  readonly conflicts: readonly number[];
  readonly actual: readonly number[];
  readonly hashes: Buffer;
}

/** Each request's outcome, in order: what was appended, or why not. */
export function outcomesOf(requests: readonly Request[], verdict: Verdict): (Appended | ConflictError)[] {
  const accepted = requests.filter((_, r) => verdict.conflicts[r] === 0);
  const total = accepted.reduce((sum, request) => sum + request.datas.length, 0);
  let position = Number(verdict.last_seq) - total;
  let slot = 0;
  return requests.map((request, r) => {
    const conflict = verdict.conflicts[r]!;
    if (conflict > 0) {
      const part = request.parts[conflict - 1]!;
      return new ConflictError(part.streamId, part.expectedVersion, verdict.actual[r]!);
    }
    const firstPosition = position + 1;
    const messages: StoredMessage[] = [];
    for (const part of request.parts) {
      part.messages.forEach((message, i) => {
        const hash = verdict.hashes.subarray(slot * HASH_BYTES, ++slot * HASH_BYTES).toString('hex');
        messages.push(stored(message, { position: ++position, streamId: part.streamId, version: part.expectedVersion + 1 + i, recordedAt: verdict.recorded_at, hash }));
      });
    }
    return { firstPosition, lastPosition: position, messages };
  });
}

function stored<K extends MessageType>(message: NewMessage<K>, place: Pick<StoredMessage, 'position' | 'streamId' | 'version' | 'recordedAt' | 'hash'>): StoredMessage {
  return { ...message, ...place, schemaVersion: SCHEMA_VERSION } as unknown as StoredMessage;
}
