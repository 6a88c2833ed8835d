import type { BackupRef } from '#contracts/gen/hostplane/v1/backup.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import { wordpressSteps } from '../operation/wordpress-steps.js';
import type { Action, Step, Workflow, WorkflowKind } from '../operation/workflow.js';

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

/** A step of another workflow on other data than the site has. Data that was never live is not kept when it is taken back. */
function on(data: (input: RestoreInput) => Partial<WorkloadSpec>, { ask, undo, ...step }: Step<SiteInput>): Step<RestoreInput> {
  const changed = (input: RestoreInput): SiteInput => ({ ...input, keepData: false, spec: { ...input.spec, ...data(input) } });
  return {
    ...step,
    ask: (input, outputs) => ask(changed(input), outputs),
    ...(undo && { undo: { ...undo, ask: (input: RestoreInput, outputs) => undo.ask(changed(input), outputs) } }),
  };
}

const onRestored = (step: Step<SiteInput>): Step<RestoreInput> => on(({ restored }) => restored, step);

/** The database and its passwords are there before there is anything to fill it with; what an undo leaves of it is nothing. */
const foundations = [wordpressSteps.serverSecret, wordpressSteps.secrets, wordpressSteps.database].map(onRestored);

/** A backup's page may have any title. */
const page: Step<RestoreInput> = { ...wordpressSteps.page, ask: (input, outputs) => wordpressSteps.page.ask({ ...input, keepData: true }, outputs) };

const dropDatabase: Step<RestoreInput> = { ...on(({ oldDataId }) => ({ dataId: oldDataId }), wordpressSteps.removeDatabase), name: 'old-database', optional: true };

function restoring(kind: WorkflowKind, steps: readonly Step<RestoreInput>[]): Workflow<RestoreInput> {
  return {
    kind,
    cancellable: true,
    patient: true,
    steps,
    succeed: (operationId, outputs) => ({ type: 'FinishRestore', operationId, target: targetOf(outputs) }),
    fail: (operationId, { step, error }) => ({ type: 'FailRestore', operationId, step, error }),
  };
}

function launching(kind: WorkflowKind, steps: readonly Step<RestoreInput>[]): Workflow<RestoreInput> {
  return {
    kind,
    cancellable: true,
    patient: true,
    steps,
    succeed: (operationId, outputs) => ({ type: 'ActivateSite', operationId, target: targetOf(outputs) }),
    fail: (operationId, failure) => ({ type: 'FailSite', operationId, ...failure }),
  };
}

/** A site gets the data of a backup in place of its own, which is kept until the restored site is healthy. */
export const restoreSite = restoring('restore-site', [fetch, swap, siteSteps.refreshRoute, drop]);

/** The same with a database: another one, beside the one that is in use until the restored site's page was seen. */
export const restoreWordPress = restoring('restore-wordpress', [...foundations, fetch, swap, onRestored(wordpressSteps.adopt), siteSteps.refreshRoute, page, drop, dropDatabase]);

/** A new site begins with the data of a backup. */
export const launchFromBackup = launching('launch-from-backup', [fetch, siteSteps.launchWorkload, siteSteps.launchRoute]);

export const launchWordPressFromBackup = launching('launch-wordpress-from-backup', [
  ...foundations, fetch, siteSteps.launchWorkload, wordpressSteps.adopt, siteSteps.launchRoute, page,
]);
