import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import type { Workflow } from '../operation/workflow.js';

/** Workload first, then the route to it: nobody is sent to what is not healthy yet. */
export const launchSite: Workflow<SiteInput> = {
  kind: 'launch-site',
  cancellable: true,
  steps: [siteSteps.launchWorkload, siteSteps.launchRoute],
  succeed: (operationId, outputs) => ({ type: 'ActivateSite', operationId, target: targetOf(outputs) }),
  fail: (operationId, failure) => ({ type: 'FailSite', operationId, ...failure }),
};
