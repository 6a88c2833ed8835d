import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import { wordpressSteps } from '../operation/wordpress-steps.js';
import type { Workflow } from '../operation/workflow.js';

/** Installed before the route opens, so that no visitor ever meets the installer; live once the edge was seen to serve the real page. */
export const launchWordPress: Workflow<SiteInput> = {
  kind: 'launch-wordpress',
  cancellable: true,
  steps: [
    wordpressSteps.serverSecret,
    wordpressSteps.secrets,
    wordpressSteps.database,
    siteSteps.launchWorkload,
    wordpressSteps.install,
    siteSteps.launchRoute,
    wordpressSteps.page,
  ],
  succeed: (operationId, outputs) => ({ type: 'ActivateSite', operationId, target: targetOf(outputs) }),
  fail: (operationId, failure) => ({ type: 'FailSite', operationId, ...failure }),
};
