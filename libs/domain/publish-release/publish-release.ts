import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import type { Workflow } from '../operation/workflow.js';

/** New content in place of the old; the runtime keeps the old serving until the new is there. */
export const publishRelease: Workflow<SiteInput> = {
  kind: 'publish-release',
  cancellable: true,
  steps: [siteSteps.changeRelease, siteSteps.refreshRoute],
  succeed: (operationId, outputs) => ({ type: 'FinishRelease', operationId, target: targetOf(outputs) }),
  fail: (operationId, { step, error }) => ({ type: 'FailRelease', operationId, step, error }),
};
