import { siteSteps, targetOf, type SiteInput } from '../operation/site-steps.js';
import type { Step, Workflow } from '../operation/workflow.js';

function switching(kind: 'stop-site' | 'start-site' | 'restart-site', steps: readonly Step<SiteInput>[]): Workflow<SiteInput> {
  return {
    kind,
    cancellable: true,
    steps,
    succeed: (operationId, outputs) => ({ type: 'FinishSwitch', operationId, target: targetOf(outputs) }),
    fail: (operationId, { step, error }) => ({ type: 'FailSwitch', operationId, step, error }),
  };
}

/** Visitors are told first, then the workload stands still. Nothing is removed. */
export const stopSite = switching('stop-site', [siteSteps.closeRoute, siteSteps.stopWorkload]);
export const startSite = switching('start-site', [siteSteps.startWorkload, siteSteps.openRoute]);
/** Its environment may have changed meanwhile, and it may be reached at another place by now. */
export const restartSite = switching('restart-site', [siteSteps.restartWorkload, siteSteps.refreshRoute]);
