import type { Action, Workflow } from '../operation/workflow.js';

export interface ProjectInput {
  readonly projectId: string;
  readonly hostId: string;
  readonly subnet: string;
  /** Each runtime that a site of it was ever admitted for; '' stands for any. Absent in a run that is older than this. */
  readonly runtimes?: readonly string[];
}

export const removeHome: Action<ProjectInput> = {
  ask: ({ projectId, hostId, runtimes }) => ({ type: 'RemoveHome', data: { projectId, hostId, runtimes: [...(runtimes ?? [''])] } }),
  done: 'HomeRemoved',
  failed: 'HomeFailed',
};

/** A project runs once its host has confirmed that it can house it, and the vault that it has keys. */
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
    // Never taken back: what is sealed with the keys must be readable for a retry, and once destroyed they cannot come again.
    { name: 'keyring', ask: ({ projectId }) => ({ type: 'EnsureKeyring', data: { projectId } }), done: 'SecretsReady', failed: 'SecretsFailed' },
  ],
  succeed: (operationId) => ({ type: 'StartProject', operationId }),
  fail: (operationId, { step, error }) => ({ type: 'FailProject', operationId, step, error }),
};
