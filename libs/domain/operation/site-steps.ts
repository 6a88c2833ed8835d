import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { Action, Fact, Outputs, Step } from './workflow.js';

/** What every workflow of a site is started with. */
export interface SiteInput {
  readonly hostId: string;
  /** Full hostnames under which the site is served. */
  readonly hostnames: readonly string[];
  /** The workload as it shall be. */
  readonly spec: WorkloadSpec;
  /** What is live before the operation, to go back to. */
  readonly previous: Pick<WorkloadSpec, 'releaseId' | 'content'> & Partial<Pick<WorkloadSpec, 'wordpress'>>;
  readonly power: 'running' | 'stopped';
  /** Where the site is reached before the operation; absent at a launch. */
  readonly target?: Target | undefined;
  /** Whether a removal, and taking a launch back, leaves volumes, releases and database: always when they held what was live. */
  readonly keepData: boolean;
}

type SiteAction = Action<SiteInput>;

function ensureWorkload(change: (input: SiteInput) => Partial<WorkloadSpec>): SiteAction {
  return {
    ask: (input) => ({ type: 'EnsureWorkload', data: { hostId: input.hostId, siteId: input.spec.siteId, spec: { ...input.spec, ...change(input) } } }),
    done: 'WorkloadReady',
    failed: 'WorkloadFailed',
  };
}

const removeWorkload: SiteAction = {
  ask: ({ hostId, keepData, spec: { siteId, projectId, runtime, dataId } }) => ({ type: 'RemoveWorkload', data: { hostId, siteId, projectId, runtime, keepData, dataId } }),
  done: 'WorkloadRemoved',
  failed: 'WorkloadFailed',
};

function ensureRoute(state: (input: SiteInput) => 'up' | 'stopped'): SiteAction {
  return {
    ask: (input, outputs) => ({
      type: 'EnsureRoute',
      data: { hostId: input.hostId, siteId: input.spec.siteId, hostnames: [...input.hostnames], target: targetOf(outputs) ?? input.target, state: state(input) },
    }),
    done: 'EdgeApplied',
    failed: 'EdgeFailed',
  };
}

const removeRoute: SiteAction = {
  ask: ({ hostId, spec: { siteId } }) => ({ type: 'RemoveRoute', data: { hostId, siteId } }),
  done: 'EdgeApplied',
  failed: 'EdgeFailed',
};

const target = (fact: Fact): Outputs => (fact.type === 'WorkloadReady' && fact.data.target ? { target: fact.data.target } : {});

export const targetOf = (outputs: Outputs): Target | undefined => outputs['target'] as Target | undefined;

const running = ensureWorkload(() => ({ power: 'running' }));
const stopped = ensureWorkload(() => ({ power: 'stopped' }));
const up = ensureRoute(() => 'up');
const down = ensureRoute(() => 'stopped');

/** The steps that workflows of a site are made of. */
export const siteSteps = {
  launchWorkload: { name: 'workload', ...running, output: target, undo: removeWorkload },
  launchRoute: { name: 'route', ...up, undo: removeRoute },
  removeRoute: { name: 'route', ...removeRoute },
  removeWorkload: { name: 'workload', ...removeWorkload },
  changeRelease: { name: 'workload', ...ensureWorkload(({ power }) => ({ power })), output: target, undo: ensureWorkload(({ power, previous }) => ({ power, ...previous })) },
  refreshRoute: { name: 'route', ...ensureRoute(({ power }) => (power === 'stopped' ? 'stopped' : 'up')) },
  startWorkload: { name: 'workload', ...running, output: target, undo: stopped },
  openRoute: { name: 'route', ...up, undo: down },
  closeRoute: { name: 'route', ...down, undo: up },
  stopWorkload: { name: 'workload', ...stopped, output: target, undo: running },
  /** As it was meant to be, running or not; what is so already is left alone, and nothing of it is ever taken back. */
  repairWorkload: { name: 'workload', ...ensureWorkload(({ power }) => ({ power })), output: target },
  restartWorkload: { name: 'workload', ...running, output: target },
} satisfies Record<string, Step<SiteInput>>;
