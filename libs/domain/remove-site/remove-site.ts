import { siteSteps, type SiteInput } from '../operation/site-steps.js';
import type { Workflow } from '../operation/workflow.js';

/** The edge lets go of the site before its container goes, so that its address cannot lead a visitor to somebody else. */
export const removeSite: Workflow<SiteInput> = {
  kind: 'remove-site',
  cancellable: false,
  steps: [siteSteps.removeRoute, siteSteps.removeWorkload],
  succeed: (operationId) => ({ type: 'FinishDestroy', operationId }),
  fail: (operationId, failure) => ({ type: 'FailSite', operationId, ...failure }),
};
