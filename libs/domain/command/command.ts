import type { CommandStarted } from '#contracts/gen/hostplane/v1/command.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';

/** A command that somebody runs in a site. */
export type CommandState = { readonly status: 'absent' } | { readonly status: 'started' | 'ended'; readonly started: CommandStarted };

export type CommandRecord =
  | { readonly type: 'StartCommand'; readonly command: CommandStarted }
  /** `error`: why it was not run. */
  | { readonly type: 'EndCommand'; readonly exitCode: number; readonly error: string };

type CommandEventType = 'CommandStarted' | 'CommandEnded';

/** It is recorded before it is run, so that nothing is run of which the log does not tell. */
export const commandDecider: Decider<CommandState, CommandRecord, CommandEventType> = {
  category: 'command',
  initial: { status: 'absent' },
  decide(record, state) {
    if (record.type === 'StartCommand') return state.status === 'absent' ? [{ type: 'CommandStarted', data: record.command }] : [];
    if (state.status !== 'started') return [];
    const { program: _, ...ids } = state.started;
    return [{ type: 'CommandEnded', data: { ...ids, exitCode: record.exitCode, error: record.error } }];
  },
  evolve: (state, event: MessageOf<CommandEventType>) =>
    event.type === 'CommandStarted' ? { status: 'started', started: event.data } : state.status === 'absent' ? state : { ...state, status: 'ended' },
};
