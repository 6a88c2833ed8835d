import { keyOf } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type TokenRow = {
  id: string;
  owner: string;
  name: string;
  /** Hex sha256 of the token. */
  hash: string;
  /** Separated by commas. */
  scopes: string;
  /** Ids separated by commas; null: not limited. */
  projects: string | null;
  /** Separated by commas; null: not limited. */
  verbs: string | null;
  expires_at: string | null;
  revoked_at: string | null;
  created_position: number;
  created_at: string;
};

export const tokensTable: KeyedTable<TokenRow> = {
  table: 'tokens',
  columns: {
    id: 'text', owner: 'text', name: 'text', hash: 'text', scopes: 'text', projects: 'text', verbs: 'text', expires_at: 'text', revoked_at: 'text', created_position: 'bigint', created_at: 'text',
  },
  indexes: ['hash', 'owner, created_position DESC', 'created_position DESC'],
  keyOf: (message) => (message.streamId.startsWith('token/') ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    if (message.type === 'TokenRevoked') return row && { ...row, revoked_at: row.revoked_at ?? message.recordedAt };
    if (message.type !== 'TokenIssued') return undefined;
    const { tokenId, ownerId, name, tokenHash, scopes, projects, verbs, expiresAt } = message.data;
    return {
      id: tokenId, owner: ownerId, name, hash: tokenHash, scopes: scopes.join(','), projects: projects.join(',') || null, verbs: verbs.join(',') || null, expires_at: expiresAt || null, revoked_at: null,
      created_position: message.position, created_at: message.recordedAt,
    };
  },
};
