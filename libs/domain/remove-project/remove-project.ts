import { removeHome, type ProjectInput } from '../launch-project/launch-project.js';
import type { Workflow } from '../operation/workflow.js';

/** The keys go last: until then a removal that failed can be tried again with all that it needs. */
export const removeProject: Workflow<ProjectInput> = {
  kind: 'remove-project',
  cancellable: false,
  steps: [
    { name: 'home', ...removeHome },
    { name: 'keyring', ask: ({ projectId }) => ({ type: 'DestroyKeyring', data: { projectId } }), done: 'SecretsRemoved', failed: 'SecretsFailed' },
  ],
  succeed: (operationId) => ({ type: 'FinishDelete', operationId }),
  fail: (operationId, { step, error }) => ({ type: 'FailDelete', operationId, step, error }),
};
