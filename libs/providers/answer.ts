import type { MessageOf, MessageType } from '#contracts/registry.js';
import type { StoredMessage } from '#contracts/message.js';
import type { Answered } from '#domain/answers.js';
import type { Decider } from '#domain/decider.js';
import { Refusal } from '#domain/refusal.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import type { HandlerContext } from '#messaging/handlers.js';
import { Unavailable } from '#messaging/unavailable.js';
import { ProviderError } from './provider-error.js';

/** A command's work, and where its answer is recorded. */
export interface Work<O extends MessageType> {
  readonly decider: Decider<Answered, MessageOf<O>, O>;
  readonly key: string;
  /** Does what is asked, confirmed, and says what is then the case. */
  act(): Promise<MessageOf<O>>;
  /** What to record when it cannot be done. */
  failed(error: string): MessageOf<O>;
}

/**
 * Does a command's work once and records the answer. A command that was answered already, or is older than one that was, is left alone.
 * What may pass later is tried again by the bus; what does not, or was tried for the last time, is recorded as the failure.
 */
export async function answerAs<O extends MessageType>(
  actor: string,
  store: EventStore,
  command: Pick<StoredMessage, 'id' | 'meta' | 'position'>,
  context: HandlerContext,
  work: Work<O>,
): Promise<void> {
  const { state } = await loadState(store, work.decider, work.key);
  if (command.position <= state.revision) return;
  const fact = await work.act().catch((error: unknown) => work.failed(lastWord(error, context)));
  await handle(store, command, [on(work.decider, work.key, fact)], { actor });
}

/** The error's message when nothing more will be tried; otherwise throws it, to be tried again. */
function lastWord(error: unknown, { deliveryCount, maxDeliveries, signal }: HandlerContext): string {
  if (signal.aborted) throw error;
  if (error instanceof Refusal) return error.message;
  if (!(error instanceof ProviderError || error instanceof Unavailable)) throw error;
  if (!error.retryable) return error.message;
  if (deliveryCount < maxDeliveries) throw error;
  return `${error.message} (tried ${deliveryCount} times)`;
}
