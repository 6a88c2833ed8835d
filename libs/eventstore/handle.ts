import { setTimeout as sleep } from 'node:timers/promises';
import { deriveId } from '#contracts/ids.js';
import { follow, streamId, type Cause, type Kind, type NewMessage, type StoredMessage } from '#contracts/message.js';
import type { MessageOf, MessageType } from '#contracts/registry.js';
import { isCommandType } from '#contracts/routing.js';
import type { Decider } from '#domain/decider.js';
import { ConflictError, LogUnavailable } from './append.js';
import type { EventStore } from './event-store.js';

/** A decider, the stream it decides upon and what it is asked; made by on(). */
export interface Part {
  readonly streamId: string;
  decide(history: readonly StoredMessage[]): Decided;
  fold(history: readonly StoredMessage[]): unknown;
}

interface Decided {
  readonly outputs: readonly { readonly kind: Kind; readonly type: MessageType; readonly data: unknown }[];
  /** With the outputs folded in. */
  readonly state: unknown;
}

export interface Handled {
  /** The cause had been handled before: nothing was appended now. */
  readonly duplicate: boolean;
  /** Position of the last message that came of the cause; when none did, of the last that was read. */
  readonly position: number;
  readonly messages: readonly StoredMessage[];
  /** One a part, first those that were given, after what was appended. */
  readonly states: readonly unknown[];
}

export interface HandleOptions {
  /** Who the messages are by; unless told, the cause's actor. */
  readonly actor?: string;
  readonly attempts?: number;
  /**
   * Names further parts of the same append, from the states that the first parts come to; called anew in each attempt. For what
   * depends on another stream's decision, such as an address that a project leases to a site.
   */
  readonly then?: (states: readonly unknown[], log: StreamReader) => readonly Part[] | Promise<readonly Part[]>;
  /** Streams that `then` and its parts are going to want: they are read together with the first ones, in one round trip. */
  readonly ahead?: readonly string[];
}

/** The log as one attempt reads it. */
export type StreamReader = Pick<EventStore, 'readStream' | 'readFirst'>;

interface Loaded {
  readonly part: Part;
  readonly history: readonly StoredMessage[];
  readonly decided: Decided;
}

const kindOfType = (type: MessageType): Kind => (isCommandType(type) ? 'command' : 'event');

export function on<S, C, O extends MessageType>(decider: Decider<S, C, O>, key: string, command: C, kindOf: (type: O) => Kind = kindOfType): Part {
  const fold = (history: readonly StoredMessage[]): S => foldWith(decider, history);
  return {
    streamId: streamId(decider.category, key),
    fold,
    decide: (history) => {
      const before = fold(history);
      const outputs = decider.decide(command, before);
      return { outputs: outputs.map((o) => ({ kind: kindOf(o.type), type: o.type, data: o.data })), state: outputs.reduce(decider.evolve, before) };
    },
  };
}

/**
 * Loads the streams, folds, decides and appends all that follows in one append; again when somebody else was quicker, or when the
 * log went away (what the first attempt may have appended is found by its ids). A cause that the first part's stream
 * already holds an answer to is a duplicate. Whatever it answers is on disk. Throws what a decider throws.
 */
export async function handle(store: EventStore, cause: Cause, parts: readonly Part[], options: HandleOptions = {}): Promise<Handled> {
  const attempts = options.attempts ?? 12;
  let isOutcomeUnknown = false;
  for (let attempt = 1; ; attempt++) {
    try {
      const handled = await attemptOnce(store, cause, parts, options);
      return isOutcomeUnknown && handled.duplicate ? { ...handled, duplicate: false } : handled;
    } catch (error) {
      const isLost = error instanceof LogUnavailable;
      if (attempt >= attempts || !(isLost || error instanceof ConflictError)) throw error;
      isOutcomeUnknown ||= isLost;
      await sleep(isLost ? 100 + Math.random() * 100 * attempt : Math.random() * 4 * attempt);
    }
  }
}

async function attemptOnce(store: EventStore, cause: Cause, parts: readonly Part[], { actor, then, ahead = [] }: HandleOptions): Promise<Handled> {
  const flush = await store.barrier();
  const read = await store.readStreams([...parts.map((part) => part.streamId), ...ahead]);
  const histories = parts.map((part) => read.get(part.streamId)!);
  if (histories[0]!.some((message) => message.meta.causationId === cause.id)) return duplicate(store, flush, cause, parts);

  const first = parts.map((part, i): Loaded => ({ part, history: histories[i]!, decided: part.decide(histories[i]!) }));
  const log: StreamReader = { readStream: async (id) => read.get(id) ?? store.readStream(id), readFirst: async (id) => (read.has(id) ? read.get(id)![0] : store.readFirst(id)) };
  const further = (await then?.(first.map(({ decided }) => decided.state), log)) ?? [];
  const all = [...first, ...(await Promise.all(further.map((part) => load(log, part))))];

  const appends = all.map(({ part, history, decided }) => ({
    streamId: part.streamId,
    expectedVersion: history.length,
    messages: decided.outputs.map((output, n) => ({ ...output, id: deriveId(cause.id, part.streamId, n), meta: follow(cause, actor) }) as NewMessage),
  }));
  if (appends.some((append, i) => holdsAny(all[i]!.history, append.messages))) return duplicate(store, flush, cause, parts);
  const states = all.map(({ decided }) => decided.state);
  if (appends.every(({ messages }) => messages.length === 0)) {
    await flush();
    return { duplicate: false, position: lastPosition(all.flatMap(({ history }) => history)), messages: [], states };
  }
  const appended = await store.append(appends);
  return { duplicate: false, position: appended.lastPosition, messages: appended.messages, states };
}

async function load(store: StreamReader, part: Part): Promise<Loaded> {
  const history = await store.readStream(part.streamId);
  return { part, history, decided: part.decide(history) };
}

/** The streams are read again: the first reading may have seen some of them before the answer was appended, some after. */
async function duplicate(store: EventStore, flush: () => Promise<void>, cause: Cause, parts: readonly Part[]): Promise<Handled> {
  const histories = await Promise.all(parts.map((part) => store.readStream(part.streamId)));
  await flush();
  const messages = histories.flat().filter((message) => message.meta.causationId === cause.id).sort((a, b) => a.position - b.position);
  return { duplicate: true, position: lastPosition(messages), messages, states: parts.map((part, i) => part.fold(histories[i]!)) };
}

function holdsAny(history: readonly StoredMessage[], messages: readonly NewMessage[]): boolean {
  const ids = new Set(messages.map((message) => message.id));
  return history.some((message) => ids.has(message.id));
}

function lastPosition(messages: readonly StoredMessage[]): number {
  return messages.reduce((last, message) => Math.max(last, message.position), 0);
}

/** The state of one stream, with the version and the position of its last message (0 when there is none). */
export async function loadState<S, C, O extends MessageType>(store: StreamReader, decider: Decider<S, C, O>, key: string): Promise<{ state: S; version: number; position: number }> {
  const history = await store.readStream(streamId(decider.category, key));
  return { state: foldWith(decider, history), version: history.length, position: lastPosition(history) };
}

function foldWith<S, C, O extends MessageType>(decider: Decider<S, C, O>, history: readonly StoredMessage[]): S {
  const messages = history as unknown as readonly MessageOf<O>[];
  return decider.fold ? decider.fold(decider.initial, messages) : messages.reduce(decider.evolve, decider.initial);
}
