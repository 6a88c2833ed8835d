import type { MessageOf, MessageType } from '#contracts/registry.js';

/**
 * What decides: pure functions over one stream. `decide` answers a command with the messages that follow (none when it is already
 * so), or throws a Refusal; `evolve` folds one message into the state and never refuses.
 *
 * @typeParam S the state, a union by status
 * @typeParam C the commands or facts that it decides upon
 * @typeParam O the types of the messages that it puts out
 */
export interface Decider<S, C, O extends MessageType> {
  readonly category: string;
  readonly initial: S;
  decide(command: C, state: S): readonly MessageOf<O>[];
  evolve(state: S, message: MessageOf<O>): S;
  /** What `evolve` comes to over all of them, where that can be had for less than one copy of the state a message. */
  fold?(state: S, messages: readonly MessageOf<O>[]): S;
}
