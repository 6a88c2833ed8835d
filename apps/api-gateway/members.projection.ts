import { keyOf, type StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type MemberRow = {
  /** `<project id>/<member>`. */
  id: string;
  project_id: string;
  member: string;
  /** Null for who was one and is no more. */
  role: string | null;
  created_position: number;
  created_at: string;
};

/** Who belongs to which project. Who founds one is its first owner. */
export const membersTable: KeyedTable<MemberRow> = {
  table: 'members',
  columns: { id: 'text', project_id: 'text', member: 'text', role: 'text', created_position: 'bigint', created_at: 'text' },
  indexes: ['member, project_id', 'project_id, created_position DESC'],
  keyOf(message) {
    if (message.type === 'ProjectRequested') return `${message.data.projectId}/${message.data.ownerId}`;
    if (!message.streamId.startsWith('member/')) return undefined;
    return `${keyOf(message.streamId)}/${(message.data as { memberId: string }).memberId}`;
  },
  fold(row, message) {
    switch (message.type) {
      case 'ProjectRequested':
        return row ?? member(message, message.data.projectId, message.data.ownerId, 'owner');
      case 'MemberAdded':
        return member(message, message.data.projectId, message.data.memberId, message.data.role);
      case 'MemberRoleChanged':
        return row && { ...row, role: message.data.role };
      case 'MemberRemoved':
        return row && { ...row, role: null };
      default:
        return undefined;
    }
  },
};

function member({ position, recordedAt }: StoredMessage, projectId: string, name: string, role: string): MemberRow {
  return { id: `${projectId}/${name}`, project_id: projectId, member: name, role, created_position: position, created_at: recordedAt };
}
