import { keyOf, type StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type BackupRow = {
  id: string;
  owner: string;
  site_id: string;
  project_id: string;
  host_id: string;
  site_name: string;
  kind: string;
  status: string;
  target: string | null;
  sha256: string | null;
  size_bytes: number | null;
  duration_ms: number | null;
  frozen_ms: number | null;
  error: string | null;
  operation_id: string;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** Backups as they are shown. */
export const backupsTable: KeyedTable<BackupRow> = {
  table: 'backups',
  columns: {
    id: 'text', owner: 'text', site_id: 'text', project_id: 'text', host_id: 'text', site_name: 'text', kind: 'text', status: 'text', target: 'text', sha256: 'text',
    size_bytes: 'bigint', duration_ms: 'bigint', frozen_ms: 'bigint', error: 'text', operation_id: 'text', created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['project_id, created_position DESC', 'site_id, created_position DESC', 'created_position DESC'],
  keyOf: (message) => (message.streamId.startsWith('backup/') ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    if (message.type === 'BackupRequested') return row ?? requested(message);
    const change = row && changeOf(row, message);
    return change && { ...row, ...change, updated_at: message.recordedAt };
  },
};

function requested({ data, position, recordedAt }: StoredMessage<'BackupRequested'>): BackupRow {
  return {
    id: data.backupId, owner: data.ownerId, site_id: data.siteId, project_id: data.projectId, host_id: data.hostId, site_name: data.siteName, kind: data.kind, status: 'taking',
    target: null, sha256: null, size_bytes: null, duration_ms: null, frozen_ms: null, error: null, operation_id: data.operationId, created_position: position,
    created_at: recordedAt, updated_at: recordedAt,
  };
}

function changeOf(row: BackupRow, message: StoredMessage): Partial<BackupRow> | undefined {
  switch (message.type) {
    case 'BackupCompleted': {
      const { ref, durationMs, frozenMs } = message.data;
      return { status: 'taken', target: ref?.target ?? null, sha256: ref?.sha256 ?? null, size_bytes: ref?.sizeBytes ?? null, duration_ms: durationMs, frozen_ms: frozenMs };
    }
    case 'BackupAbandoned':
      return { status: 'failed', error: message.data.error };
    case 'BackupRemovalRequested':
      return { status: 'deleting', error: null };
    case 'BackupRemovalFailed':
      return { status: row.sha256 === null ? 'failed' : 'taken', error: message.data.error };
    case 'BackupDeleted':
      return { status: 'deleted', error: null };
    default:
      return undefined;
  }
}
