import { deriveId } from '#contracts/ids.js';
import type { WorkDelayed } from '#contracts/gen/hostplane/v1/delay.js';
import type { StoredMessage } from '#contracts/message.js';
import type { MessageOf, MessageType } from '#contracts/registry.js';
import type { AnswerDecider } from '#domain/answers.js';
import { Refusal } from '#domain/refusal.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import type { HandlerContext } from '#messaging/handlers.js';
import { Unavailable } from '#messaging/unavailable.js';
import { ProviderError } from './provider-error.js';

/** A command's work, and where its answer is recorded. */
export interface Work<O extends MessageType> {
  readonly decider: AnswerDecider<O>;
  readonly key: string;
  /** Does what is asked, confirmed, and says what is then the case. */
  act(): Promise<MessageOf<O>>;
  /** What to record when it cannot be done. */
  failed(error: string): MessageOf<O>;
}

type Command = Pick<StoredMessage, 'id' | 'meta' | 'position'>;

/**
 * Does a command's work once and records the answer. A command that was answered already, or is older than one that was, is left alone.
 * What may pass later is tried again by the bus, and WorkDelayed says why; what does not, or was tried for the last time, is recorded as
 * the failure.
 */
export async function answerAs<O extends MessageType>(actor: string, store: EventStore, command: Command, context: HandlerContext, work: Work<O>): Promise<void> {
  const { state } = await loadState(store, work.decider, work.key);
  if (command.position <= state.revision) return;
  const record = (cause: Command, said: MessageOf<O> | MessageOf<'WorkDelayed'>) => handle(store, cause, [on(work.decider, work.key, said)], { actor });
  const fact = await work.act().catch(async (error: unknown) => {
    if (context.signal.aborted) throw error;
    const last = lastWord(error, context);
    if (last !== undefined) return work.failed(last);
    await record({ ...command, id: deriveId(command.id, 'delayed', context.deliveryCount) }, delayOf(work.failed(reasonOf(error, command)), context.deliveryCount));
    throw error;
  });
  await record(command, fact);
}

/** The error's message when nothing more will be tried; undefined: it will be. */
function lastWord(error: unknown, { deliveryCount, maxDeliveries }: HandlerContext): string | undefined {
  if (error instanceof Refusal) return error.message;
  if (!isForeseen(error)) return undefined;
  if (!error.retryable) return error.message;
  return deliveryCount < maxDeliveries ? undefined : `${error.message} (tried ${deliveryCount} times)`;
}

const isForeseen = (error: unknown): error is ProviderError | Unavailable => error instanceof ProviderError || error instanceof Unavailable;

/** Of a fault of ours nothing is shown but where to find it. */
function reasonOf(error: unknown, { meta }: Command): string {
  return isForeseen(error) ? error.message : `Something unforeseen went wrong. The log of whoever works on it says what, under the correlation id ${meta.correlationId}.`;
}

/** The failure that it would be, as the reason why it is not done yet. */
function delayOf({ data }: { readonly data: unknown }, tries: number): MessageOf<'WorkDelayed'> {
  const { operationId = '', siteId = '', projectId = '', hostId = '', revision = 0, turn = 0, error = '', step = '' } = data as Partial<WorkDelayed>;
  return { type: 'WorkDelayed', data: { operationId, siteId, projectId, hostId, revision, turn, tries, error, step } };
}
