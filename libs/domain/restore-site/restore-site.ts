import type { BackupRef } from '#contracts/gen/hostplane/v1/backup.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import type { Action, Step, Workflow } from '../operation/workflow.js';

export interface RestoreInput extends SiteInput {
  readonly ref: BackupRef;
  /** What the site shall have instead of what it has; of a new site it is what it has. */
  readonly restored: Pick<WorkloadSpec, 'dataId' | 'releaseId' | 'content'>;
  /** The volumes that are filled, and taken away again when it fails; empty: the kind has none. */
  readonly newDataId: string;
  /** The volumes that nobody needs once the restored site is healthy; empty: there are none. */
  readonly oldDataId: string;
}

const removeData = (dataId: (input: RestoreInput) => string): Action<RestoreInput> => ({
  ask: (input) => ({ type: 'RemoveData', data: { hostId: input.hostId, siteId: input.spec.siteId, runtime: input.spec.runtime, dataId: dataId(input) } }),
  done: 'DataRemoved',
  failed: 'BackupFailed',
});

/** Checked whole, then unpacked beside what the site has: nothing that is in use is touched. */
const fetch: Step<RestoreInput> = {
  name: 'data',
  ask: ({ hostId, ref, spec, restored }) => ({ type: 'RestoreBackup', data: { hostId, siteId: spec.siteId, ref, spec: { ...spec, ...restored } } }),
  done: 'BackupRestored',
  failed: 'BackupFailed',
  undo: removeData(({ newDataId }) => newDataId),
};

const workload = (change: (input: RestoreInput) => Partial<WorkloadSpec>): Action<RestoreInput> => ({
  ask: (input) => ({ type: 'EnsureWorkload', data: { hostId: input.hostId, siteId: input.spec.siteId, spec: { ...input.spec, ...change(input) } } }),
  done: 'WorkloadReady',
  failed: 'WorkloadFailed',
});

/** A new workload on the restored data takes the place of the old one once it is healthy; the old one comes back if it is not. */
const swap: Step<RestoreInput> = {
  ...siteSteps.changeRelease,
  ...workload(({ restored }) => restored),
  undo: workload(() => ({})),
};

/** The site serves its restored data: that the old cannot be taken away does not turn it back. */
const drop: Step<RestoreInput> = { name: 'old-data', ...removeData(({ oldDataId }) => oldDataId), optional: true };

/** A site gets the data of a backup in place of its own, which is kept until the restored site is healthy. */
export const restoreSite: Workflow<RestoreInput> = {
  kind: 'restore-site',
  cancellable: true,
  patient: true,
  steps: [fetch, swap, siteSteps.refreshRoute, drop],
  succeed: (operationId, outputs) => ({ type: 'FinishRestore', operationId, target: targetOf(outputs) }),
  fail: (operationId, { step, error }) => ({ type: 'FailRestore', operationId, step, error }),
};

/** A new site begins with the data of a backup. */
export const launchFromBackup: Workflow<RestoreInput> = {
  kind: 'launch-from-backup',
  cancellable: true,
  patient: true,
  steps: [fetch, siteSteps.launchWorkload, siteSteps.launchRoute],
  succeed: (operationId, outputs) => ({ type: 'ActivateSite', operationId, target: targetOf(outputs) }),
  fail: (operationId, failure) => ({ type: 'FailSite', operationId, ...failure }),
};
