import { streamId, type StoredMessage } from '#contracts/message.js';
import type { MessageOf, MessageType } from '#contracts/registry.js';
import type { Decider } from '#domain/decider.js';
import type { EventStore } from './event-store.js';

/** What a resource was when the log ended at `position`, and the messages that made it so. */
export async function stateAt<S, C, O extends MessageType>(
  store: EventStore, decider: Decider<S, C, O>, key: string, position: number,
): Promise<{ state: S; messages: readonly StoredMessage[] }> {
  const messages = (await store.readStream(streamId(decider.category, key))).filter((message) => message.position <= position);
  return { state: messages.reduce((state, message) => decider.evolve(state, message as unknown as MessageOf<O>), decider.initial), messages };
}
