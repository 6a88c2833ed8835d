import type { SiteInput } from '../operation/site-steps.js';
import type { Fact, Outputs, Step, Workflow } from '../operation/workflow.js';

export interface BackupInput extends SiteInput {
  readonly backupId: string;
}

const taken = (fact: Fact): Outputs => (fact.type === 'BackupTaken' ? { ref: fact.data.ref, durationMs: fact.data.durationMs, frozenMs: fact.data.frozenMs } : {});

const take: Step<BackupInput> = {
  name: 'take',
  ask: ({ hostId, backupId, spec }) => ({ type: 'TakeBackup', data: { hostId, siteId: spec.siteId, backupId, spec } }),
  done: 'BackupTaken',
  failed: 'BackupFailed',
  output: taken,
  undo: {
    ask: ({ hostId, backupId, spec: { siteId, projectId } }) => ({ type: 'RemoveBackup', data: { hostId, siteId, projectId, backupId, target: '' } }),
    done: 'BackupRemoved',
    failed: 'BackupFailed',
  },
};

/** The site's data of one moment, stored; the site stands still only while it is read. */
export const backupSite: Workflow<BackupInput> = {
  kind: 'backup-site',
  cancellable: true,
  patient: true,
  steps: [take],
  succeed: (operationId, outputs) => ({ type: 'FinishBackup', operationId, ...(outputs as { ref: never; durationMs: number; frozenMs: number }) }),
  fail: (operationId, { step, error }) => ({ type: 'FailBackup', operationId, step, error }),
};
