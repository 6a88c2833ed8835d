import { siteSteps, type SiteInput } from '../operation/site-steps.js';
import { wordpressSteps } from '../operation/wordpress-steps.js';
import type { Workflow } from '../operation/workflow.js';

/** The database goes last: until then nothing that reads or writes it is left. */
export const removeWordPress: Workflow<SiteInput> = {
  kind: 'remove-wordpress',
  cancellable: false,
  steps: [siteSteps.removeRoute, siteSteps.removeWorkload, wordpressSteps.removeDatabase],
  succeed: (operationId) => ({ type: 'FinishDestroy', operationId }),
  fail: (operationId, failure) => ({ type: 'FailSite', operationId, ...failure }),
};
