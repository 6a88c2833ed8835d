import { removeHome, type ProjectInput } from '../launch-project/launch-project.js';
import type { Workflow } from '../operation/workflow.js';

export const removeProject: Workflow<ProjectInput> = {
  kind: 'remove-project',
  cancellable: false,
  steps: [{ name: 'home', ...removeHome }],
  succeed: (operationId) => ({ type: 'FinishDelete', operationId }),
  fail: (operationId, { step, error }) => ({ type: 'FailDelete', operationId, step, error }),
};
