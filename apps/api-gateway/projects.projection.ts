import { keyOf, type StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type ProjectRow = {
  id: string;
  owner: string;
  name: string;
  host_id: string;
  status: string;
  last_error: string | null;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** Projects as they are shown. */
export const projectsTable: KeyedTable<ProjectRow> = {
  table: 'projects',
  columns: {
    id: 'text', owner: 'text', name: 'text', host_id: 'text', status: 'text', last_error: 'text', created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['owner, name', 'created_position DESC'],
  keyOf: (message) => (message.streamId.startsWith('project/') ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    if (message.type === 'ProjectRequested') return row ?? requested(message);
    if (!row) return undefined;
    const change = changeOf(message);
    return change && { ...row, ...change, updated_at: message.recordedAt };
  },
};

function requested({ data, position, recordedAt }: StoredMessage<'ProjectRequested'>): ProjectRow {
  return {
    id: data.projectId, owner: data.ownerId, name: data.name, host_id: data.hostId, status: 'pending', last_error: null,
    created_position: position, created_at: recordedAt, updated_at: recordedAt,
  };
}

function changeOf(message: StoredMessage): Partial<ProjectRow> | undefined {
  switch (message.type) {
    case 'ProjectProvisioningStarted':
      return { status: 'provisioning' };
    case 'ProjectStarted':
      return { status: 'running', last_error: null };
    case 'ProjectFailed':
      return { status: 'failed', last_error: message.data.error };
    case 'ProjectDeletionRequested':
      return { status: 'deleting' };
    case 'ProjectDeletionFailed':
      return { last_error: message.data.error };
    case 'ProjectDeleted':
      return { status: 'deleted', last_error: null };
    default:
      return undefined;
  }
}
