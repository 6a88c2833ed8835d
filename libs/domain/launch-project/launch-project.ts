import type { Action, Workflow } from '../operation/workflow.js';

export interface ProjectInput {
  readonly projectId: string;
  readonly hostId: string;
  readonly subnet: string;
}

export const removeHome: Action<ProjectInput> = {
  ask: ({ projectId, hostId }) => ({ type: 'RemoveHome', data: { projectId, hostId } }),
  done: 'HomeRemoved',
  failed: 'HomeFailed',
};

/** A project runs once its host has confirmed that it can house it. */
export const launchProject: Workflow<ProjectInput> = {
  kind: 'launch-project',
  cancellable: true,
  steps: [
    {
      name: 'home',
      ask: ({ projectId, hostId, subnet }) => ({ type: 'EnsureHome', data: { projectId, hostId, subnet } }),
      done: 'HomeReady',
      failed: 'HomeFailed',
      undo: removeHome,
    },
  ],
  succeed: (operationId) => ({ type: 'StartProject', operationId }),
  fail: (operationId, { step, error }) => ({ type: 'FailProject', operationId, step, error }),
};
