import { siteSteps, type SiteInput } from '../operation/site-steps.js';
import { wordpressSteps } from '../operation/wordpress-steps.js';
import type { Step, Workflow, WorkflowKind } from '../operation/workflow.js';

function discarding(kind: WorkflowKind, steps: readonly Step<SiteInput>[]): Workflow<SiteInput> {
  return {
    kind,
    cancellable: false,
    steps,
    succeed: (operationId) => ({ type: 'FinishDiscard', operationId }),
    fail: (operationId, { step, error }) => ({ type: 'FailDiscard', operationId, step, error }),
  };
}

/** What a destroyed site left goes for good. Nothing of it can be taken back: a run that failed is ended by another one. */
export const discardData = discarding('discard-data', [siteSteps.removeWorkload]);

/** The same with its database. */
export const discardWordPressData = discarding('discard-wordpress-data', [siteSteps.removeWorkload, wordpressSteps.removeDatabase]);
