import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import type { Workflow } from '../operation/workflow.js';

/** The workload becomes another one on the same data; the one before comes back when the new one does not become healthy. */
export const updateSite: Workflow<SiteInput> = {
  kind: 'update-site',
  cancellable: true,
  steps: [siteSteps.changeRelease, siteSteps.refreshRoute],
  succeed: (operationId, outputs) => ({ type: 'FinishUpdate', operationId, target: targetOf(outputs) }),
  fail: (operationId, failure) => ({ type: 'FailUpdate', operationId, step: failure.step, error: failure.error }),
};
