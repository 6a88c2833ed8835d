import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import { wordpressSteps } from '../operation/wordpress-steps.js';
import type { Step, Workflow, WorkflowKind } from '../operation/workflow.js';

/** The steps of a launch asked for again, without a way back: what was live before is never taken away by a repair that fails. */
function repairing(kind: WorkflowKind, steps: readonly Step<SiteInput>[]): Workflow<SiteInput> {
  return {
    kind,
    cancellable: true,
    steps: steps.map(({ undo: _, ...step }) => step),
    succeed: (operationId, outputs) => ({ type: 'FinishSwitch', operationId, target: targetOf(outputs) }),
    fail: (operationId, { step, error }) => ({ type: 'FailSwitch', operationId, step, error }),
  };
}

export const repairSite = repairing('repair-site', [siteSteps.repairWorkload, siteSteps.refreshRoute]);

const foundations = [wordpressSteps.serverSecret, wordpressSteps.secrets, wordpressSteps.database, siteSteps.repairWorkload];

export const repairWordPress = repairing('repair-wordpress', [...foundations, wordpressSteps.install, siteSteps.refreshRoute, wordpressSteps.page]);

/** In what stands still nothing can be installed, and nobody is shown a page. */
export const repairStoppedWordPress = repairing('repair-stopped-wordpress', [...foundations, siteSteps.refreshRoute]);
