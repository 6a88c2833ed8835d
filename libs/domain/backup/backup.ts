import type { BackupRef, BackupRequested } from '#contracts/gen/hostplane/v1/backup.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export interface Backup {
  readonly status: 'requested' | 'taken' | 'failed' | 'removing' | 'removed';
  /** What was asked for, and what the site was then. */
  readonly request: BackupRequested;
  /** Where it is; absent until it is taken. */
  readonly ref?: BackupRef;
  /** The operation that removes it. */
  readonly removal?: string;
}
export type BackupState = { readonly status: 'absent' } | Backup;

export type BackupCommand =
  | { type: 'RequestBackup'; backup: BackupRequested }
  | { type: 'CompleteBackup'; operationId: string; ref: BackupRef | undefined; durationMs: number; frozenMs: number }
  | { type: 'AbandonBackup'; operationId: string; step: string; error: string }
  | { type: 'DeleteBackup'; operationId: string; reason: 'requested' | 'retention' }
  | { type: 'FinishRemoval'; operationId: string }
  | { type: 'FailRemoval'; operationId: string; error: string };

type BackupEventType =
  | 'BackupRequested' | 'BackupCompleted' | 'BackupAbandoned' | 'BackupRemovalRequested' | 'BackupDeleted' | 'BackupRemovalFailed';
type BackupEvent = MessageOf<BackupEventType>;

/** A backup's life. It outlives its site, and goes when somebody or the retention says so. */
export const backupDecider: Decider<BackupState, BackupCommand, BackupEventType> = {
  category: 'backup',
  initial: { status: 'absent' },
  decide(command, state) {
    if (command.type === 'RequestBackup') return state.status === 'absent' ? [{ type: 'BackupRequested', data: command.backup }] : [];
    if (state.status === 'absent') throw new Refusal('not-found', 'There is no such backup.');
    return decideKnown(command, state);
  },
  evolve,
};

function decideKnown(command: Exclude<BackupCommand, { type: 'RequestBackup' }>, backup: Backup): readonly BackupEvent[] {
  const { backupId, siteId, projectId } = backup.request;
  const ids = { backupId, siteId, operationId: command.operationId };
  const isBeingTaken = backup.status === 'requested' && backup.request.operationId === command.operationId;
  const isBeingRemoved = backup.status === 'removing' && backup.removal === command.operationId;
  switch (command.type) {
    case 'CompleteBackup':
      return isBeingTaken ? [{ type: 'BackupCompleted', data: { ...ids, ref: command.ref, durationMs: command.durationMs, frozenMs: command.frozenMs } }] : [];
    case 'AbandonBackup':
      return isBeingTaken ? [{ type: 'BackupAbandoned', data: { ...ids, step: command.step, error: command.error } }] : [];
    case 'DeleteBackup':
      if (backup.status === 'requested') throw new Refusal('conflict', `The backup is being taken (operation ${backup.request.operationId}): cancel that, or wait for its end.`);
      if (backup.status === 'removing' || backup.status === 'removed') return [];
      return [{ type: 'BackupRemovalRequested', data: { ...ids, projectId, reason: command.reason } }];
    case 'FinishRemoval':
      return isBeingRemoved ? [{ type: 'BackupDeleted', data: ids }] : [];
    case 'FailRemoval':
      return isBeingRemoved ? [{ type: 'BackupRemovalFailed', data: { ...ids, error: command.error } }] : [];
  }
}

function evolve(state: BackupState, event: BackupEvent): BackupState {
  if (state.status === 'absent') {
    if (event.type !== 'BackupRequested') throw new Error(`${event.type} for a backup that was never requested.`);
    return { status: 'requested', request: event.data };
  }
  switch (event.type) {
    case 'BackupCompleted':
      return { ...state, status: 'taken', ...(event.data.ref && { ref: event.data.ref }) };
    case 'BackupAbandoned':
      return { ...state, status: 'failed' };
    case 'BackupRemovalRequested':
      return { ...state, status: 'removing', removal: event.data.operationId };
    case 'BackupDeleted':
      return { ...state, status: 'removed' };
    case 'BackupRemovalFailed':
      return { ...state, status: state.ref ? 'taken' : 'failed' };
    default:
      return state;
  }
}
