import type { MessageType, Messages } from './registry.js';

/** Who and why: the part of a message that is the same for every type. */
export interface Meta {
  /** Id of the request that everything follows from. */
  readonly correlationId: string;
  /** Id of the message or request that brought this one about. */
  readonly causationId: string;
  /** Who asked, for example token:0198… or system:lifecycle. */
  readonly actor: string;
  /** Owner whose resource this is about; readers filter by it. */
  readonly owner: string;
  /** On whose behalf it was asked, as projects know their members; absent for what nobody asked for. */
  readonly member?: string;
  /** W3C trace context of the request. */
  readonly traceparent?: string;
}

export type Kind = 'event' | 'command';

/** A message that is not yet in the log. */
export interface NewMessage<K extends MessageType = MessageType> {
  /** UUID, derived from the cause (see ids.ts), so that doing it again collides with itself. */
  readonly id: string;
  readonly kind: Kind;
  readonly type: K;
  readonly data: Messages[K];
  readonly meta: Meta;
}

/** A message as the log holds it and as the bus carries it. */
export type StoredMessage<K extends MessageType = MessageType> = K extends MessageType
  ? Omit<NewMessage<K>, 'type' | 'data'> & {
      readonly type: K;
      readonly data: Messages[K];
      /** Place in the log: dense, from 1, in commit order. Equals the sequence in the LOG stream. */
      readonly position: number;
      /** `<category>/<key>`, for example site/0198…. */
      readonly streamId: string;
      /** Place in its stream, from 1. */
      readonly version: number;
      readonly schemaVersion: number;
      /** RFC 3339, UTC, when it was appended. */
      readonly recordedAt: string;
      /** Hex sha256 over the stored bytes and the hash of the stream's last message. */
      readonly hash: string;
    }
  : never;

/** What a handler is given of the message or request that it acts upon. */
export interface Cause {
  readonly id: string;
  readonly meta: Meta;
}

/** The meta of what follows from a cause. */
export function follow(cause: Cause, actor = cause.meta.actor): Meta {
  return { ...cause.meta, causationId: cause.id, actor };
}

export function streamId(category: string, key: string): string {
  return `${category}/${key}`;
}

/** The category of a stream: the part before the first slash. */
export function categoryOf(stream: string): string {
  return stream.slice(0, stream.indexOf('/'));
}

/** The key of a stream: the part after the first slash. */
export function keyOf(stream: string): string {
  return stream.slice(stream.indexOf('/') + 1);
}
