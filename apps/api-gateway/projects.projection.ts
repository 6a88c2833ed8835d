import { keyOf, type StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type ProjectRow = {
  id: string;
  owner: string;
  name: string;
  host_id: string;
  status: string;
  last_error: string | null;
  used_sites: number;
  used_memory: number;
  used_cpu: number;
  /** By uploads. */
  used_disk: number;
  /** By what sites have written. */
  used_written: number;
  /** JSON of what was set of it, as it is stored. */
  quota: string | null;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** Projects as they are shown. */
export const projectsTable: KeyedTable<ProjectRow> = {
  table: 'projects',
  columns: {
    id: 'text', owner: 'text', name: 'text', host_id: 'text', status: 'text', last_error: 'text',
    used_sites: 'integer', used_memory: 'bigint', used_cpu: 'bigint', used_disk: 'bigint', used_written: 'bigint', quota: 'text', created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['owner, name', 'created_position DESC'],
  keyOf: (message) => (message.streamId.startsWith('project/') ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    if (message.type === 'ProjectRequested') return row ?? requested(message);
    if (!row) return undefined;
    const change = changeOf(row, message);
    return change && { ...row, ...change, updated_at: message.recordedAt };
  },
};

function requested({ data, position, recordedAt }: StoredMessage<'ProjectRequested'>): ProjectRow {
  return {
    id: data.projectId, owner: data.ownerId, name: data.name, host_id: data.hostId, status: 'pending', last_error: null,
    used_sites: 0, used_memory: 0, used_cpu: 0, used_disk: 0, used_written: 0, quota: null,
    created_position: position, created_at: recordedAt, updated_at: recordedAt,
  };
}

function changeOf(row: ProjectRow, message: StoredMessage): Partial<ProjectRow> | undefined {
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
    case 'SiteAdmitted':
      return { used_sites: row.used_sites + 1, used_memory: row.used_memory + message.data.memoryBytes, used_cpu: row.used_cpu + message.data.cpuMillis };
    case 'SiteMeasured':
      return { used_disk: row.used_disk + message.data.grownBy };
    case 'SiteReleased': {
      const { memoryBytes, cpuMillis, diskBytes } = message.data;
      return { used_sites: row.used_sites - 1, used_memory: row.used_memory - memoryBytes, used_cpu: row.used_cpu - cpuMillis, used_disk: row.used_disk - diskBytes };
    }
    case 'ProjectMeasured':
      return { used_written: message.data.writtenBytes };
    case 'DataExpected':
      return { used_written: row.used_written + (message.data.grownBy ?? message.data.bytes) };
    case 'DataArrived':
      return { used_written: row.used_written + message.data.grownBy };
    case 'DataFreed':
      return { used_written: row.used_written - message.data.bytes };
    case 'DatabaseServerJoined':
      return { used_memory: row.used_memory + message.data.memoryBytes, used_cpu: row.used_cpu + message.data.cpuMillis };
    case 'DatabaseServerLeft':
      return { used_memory: row.used_memory - message.data.memoryBytes, used_cpu: row.used_cpu - message.data.cpuMillis };
    case 'ProjectQuotaSet':
      return { quota: JSON.stringify(message.data.quota ?? {}) };
    default:
      return undefined;
  }
}
