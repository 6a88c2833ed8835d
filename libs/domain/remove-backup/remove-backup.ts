import type { Workflow } from '../operation/workflow.js';

export interface RemovalInput {
  readonly hostId: string;
  readonly siteId: string;
  readonly projectId: string;
  readonly backupId: string;
  /** Where it is; empty: wherever it may be. */
  readonly target: string;
}

/** A backup is taken out of where backups are kept. */
export const removeBackup: Workflow<RemovalInput> = {
  kind: 'remove-backup',
  cancellable: false,
  steps: [{ name: 'archive', ask: (input) => ({ type: 'RemoveBackup', data: input }), done: 'BackupRemoved', failed: 'BackupFailed' }],
  succeed: (operationId) => ({ type: 'FinishRemoval', operationId }),
  fail: (operationId, { error }) => ({ type: 'FailRemoval', operationId, error }),
};
