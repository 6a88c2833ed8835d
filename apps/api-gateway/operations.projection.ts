import type { OperationStep } from '#api/operation.js';
import type { StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type OperationRow = {
  id: string;
  owner: string;
  kind: string;
  status: string;
  site_id: string | null;
  project_id: string | null;
  /** JSON of OperationStep[]. */
  steps: string;
  error: string | null;
  failed_step: string | null;
  /** Why the step under way is tried again. */
  delay: string | null;
  /** JSON of names. */
  undone: string;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** Operations as they are shown. A row comes with the wish for it, so that it can be seen before its first step. */
export const operationsTable: KeyedTable<OperationRow> = {
  table: 'operations',
  columns: {
    id: 'text', owner: 'text', kind: 'text', status: 'text', site_id: 'text', project_id: 'text', steps: 'text', error: 'text', failed_step: 'text', delay: 'text', undone: 'text',
    created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['project_id, created_position DESC', 'site_id, created_position DESC', 'created_position DESC'],
  keyOf(message) {
    if (message.kind !== 'event') return undefined;
    return wishedKind(message) !== undefined || /^Operation|^WorkDelayed$|^SiteReleaseDropped$/.test(message.type) ? operationIdOf(message) : undefined;
  },
  fold(row, message) {
    const kind = wishedKind(message);
    if (kind !== undefined) return row ?? wished(kind, message);
    if (message.type === 'OperationStarted') return started(row, message);
    if (!row) return undefined;
    if (message.type === 'WorkDelayed') return { ...row, delay: message.data.error };
    const change = changeOf(row, message);
    return change && { ...row, delay: null, ...change, updated_at: message.recordedAt };
  },
};

function operationIdOf(message: StoredMessage): string | undefined {
  return (message.data as { operationId?: string }).operationId || undefined;
}

/** Name of the workflow that an event asks for. */
function wishedKind(message: StoredMessage): string | undefined {
  switch (message.type) {
    case 'SiteRequested':
      if (message.data.backupId) return message.data.kind === 'wordpress' ? 'launch-wordpress-from-backup' : 'launch-from-backup';
      return message.data.kind === 'wordpress' ? 'launch-wordpress' : 'launch-site';
    case 'SiteRetryRequested':
      return 'launch-site';
    case 'SiteDestroyRequested':
      return 'remove-site';
    case 'SiteDataDiscardRequested':
      return 'discard-data';
    case 'SiteUpdateRequested':
      return 'update-site';
    case 'SiteReleaseRequested':
    case 'SiteReleaseStarted':
      return 'publish-release';
    case 'SiteSwitchRequested':
      return `${message.data.action}-site`;
    case 'SiteBackupRequested':
      return 'backup-site';
    case 'SiteRestoreRequested':
      return 'restore-site';
    case 'BackupRemovalRequested':
      return 'remove-backup';
    case 'ProjectRequested':
    case 'ProjectRetryRequested':
      return 'launch-project';
    case 'ProjectDeletionRequested':
      return 'remove-project';
    default:
      return undefined;
  }
}

function wished(kind: string, message: StoredMessage): OperationRow {
  const { operationId, siteId, projectId } = message.data as { operationId: string; siteId?: string; projectId?: string };
  return {
    id: operationId, owner: message.meta.owner, kind, status: 'waiting', site_id: siteId || null, project_id: projectId || null, steps: '[]', error: null,
    failed_step: null, delay: null, undone: '[]', created_position: message.position, created_at: message.recordedAt, updated_at: message.recordedAt,
  };
}

function started(row: OperationRow | undefined, message: StoredMessage<'OperationStarted'>): OperationRow {
  const { kind, siteId, projectId, steps } = message.data;
  const shown = steps.map((name): OperationStep => ({ name, status: 'waiting' }));
  const known = { kind, status: 'running', site_id: siteId || null, project_id: projectId || (row?.project_id ?? null), steps: JSON.stringify(shown), updated_at: message.recordedAt };
  return { ...(row ?? wished(kind, message)), ...known };
}

function changeOf(row: OperationRow, message: StoredMessage): Partial<OperationRow> | undefined {
  const at = message.recordedAt;
  switch (message.type) {
    case 'OperationStepStarted':
      return step(row, message.data.step, { status: 'running', startedAt: at });
    case 'OperationStepSucceeded':
      return step(row, message.data.step, { status: 'succeeded', endedAt: at });
    case 'OperationStepFailed':
      return step(row, message.data.step, { status: 'failed', endedAt: at, error: message.data.error });
    case 'OperationUndoStarted':
      return { ...step(row, message.data.step, { status: 'undoing' }), status: 'undoing' };
    case 'OperationUndoSucceeded':
      return step(row, message.data.step, { status: 'undone', endedAt: at });
    case 'OperationUndoFailed':
      return step(row, message.data.step, { status: 'undo-failed', endedAt: at, error: message.data.error });
    case 'OperationSucceeded':
      return { status: 'succeeded' };
    case 'OperationFailed':
      return { status: 'failed', error: message.data.error, failed_step: message.data.step || null, undone: JSON.stringify(message.data.undone) };
    case 'SiteReleaseDropped':
      return { status: 'dropped', error: message.data.reason };
    default:
      return undefined;
  }
}

function step(row: OperationRow, name: string, change: Partial<OperationStep>): Partial<OperationRow> {
  const steps = JSON.parse(row.steps) as OperationStep[];
  return { steps: JSON.stringify(steps.map((one) => (one.name === name ? { ...one, ...change } : one))) };
}
