/** Every status that a project can have (L1). */
export const projectStatuses = ['pending', 'provisioning', 'running', 'failed', 'deleting', 'deleted'] as const;
export type ProjectStatus = (typeof projectStatuses)[number];

/**
 * The one table of allowed transitions: L1's, with its one extension of failed to deleting, or a failed project could never be removed.
 * A deletion that does not succeed stays `deleting` with its error, and can be asked for again.
 */
export const projectTransitions: Readonly<Record<ProjectStatus, readonly ProjectStatus[]>> = {
  pending: ['provisioning'],
  provisioning: ['running', 'failed'],
  running: ['deleting'],
  failed: ['provisioning', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
};

export const canProjectMove = (from: ProjectStatus, to: ProjectStatus): boolean => projectTransitions[from].includes(to);
