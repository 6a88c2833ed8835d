import { keyOf } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type SecretRow = {
  id: string;
  project_id: string;
  /** Null: the project's own. */
  site_id: string | null;
  name: string;
  version: number;
  /** vault or member: who made the value. */
  made_by: string;
  created_position: number;
  created_at: string;
  updated_at: string;
  opened_at: string | null;
  revoked_at: string | null;
};

/** Which secrets there are; of their values not even the ciphertexts. */
export const secretsTable: KeyedTable<SecretRow> = {
  table: 'secrets',
  columns: {
    id: 'text', project_id: 'text', site_id: 'text', name: 'text', version: 'integer', made_by: 'text', created_position: 'bigint', created_at: 'text', updated_at: 'text', opened_at: 'text', revoked_at: 'text',
  },
  indexes: ['project_id, name', 'project_id, created_position DESC'],
  keyOf: (message) => (message.streamId.startsWith('secret/') ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    switch (message.type) {
      case 'SecretStored': {
        const { secretId, projectId, siteId, name, version, isGenerated } = message.data;
        const { position: created_position, recordedAt: created_at } = message;
        const first = row && row.revoked_at === null ? row : { opened_at: null, created_position, created_at };
        return { ...first, id: secretId, project_id: projectId, site_id: siteId || null, name, version, made_by: isGenerated ? 'vault' : 'member', updated_at: created_at, revoked_at: null };
      }
      case 'SecretOpened':
        return row && { ...row, opened_at: message.recordedAt };
      case 'SecretRevoked':
        return row && { ...row, revoked_at: message.recordedAt };
      default:
        return undefined;
    }
  },
};
