import type { StoredMessage } from '#contracts/message.js';
import type { MessageType } from '#contracts/registry.js';
import type { EventStore } from '#eventstore/event-store.js';
import type { HandlerContext } from '#messaging/handlers.js';
import { answerAs, type Work } from '#providers/answer.js';

/** Does a command's work once and records this host's answer. */
export function answer<O extends MessageType>(store: EventStore, command: Pick<StoredMessage, 'id' | 'meta' | 'position'>, context: HandlerContext, work: Work<O>): Promise<void> {
  return answerAs('system:provisioner', store, command, context, work);
}
