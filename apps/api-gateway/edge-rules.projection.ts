import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import { keyOf, type StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type EdgeRulesRow = {
  site_id: string;
  /** JSON, with nothing of passwords. */
  rules: string;
  /** served, changing, waiting or refused. */
  status: string;
  last_error: string | null;
  changed_at: string | null;
};

/** How the visitors of each site are treated. A row without rules is of a site that only has a route. */
export const edgeRulesTable: KeyedTable<EdgeRulesRow> = {
  table: 'edge_rules',
  columns: { site_id: 'text', rules: 'text', status: 'text', last_error: 'text', changed_at: 'text' },
  indexes: [],
  keyOf: (message) => (message.streamId.startsWith('route/') || message.type === 'WorkDelayed' ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    switch (message.type) {
      case 'EdgeRulesChanged':
        return { site_id: message.data.siteId, rules: shownOf(message.data.rules), status: row ? 'changing' : 'waiting', last_error: null, changed_at: message.recordedAt };
      case 'EdgeRulesServed':
        return row && { ...row, status: 'served', last_error: null };
      case 'EdgeRulesRefused':
        return row && { ...row, rules: shownOf(message.data.rules), status: 'refused', last_error: message.data.error };
      case 'WorkDelayed':
        return row?.status === 'changing' && isOfEdge(message) ? { ...row, last_error: message.data.error } : undefined;
      case 'RouteDefined':
        return row?.status === 'waiting' ? { ...row, status: 'changing' } : (row ?? { site_id: message.data.siteId, rules: '{}', status: 'served', last_error: null, changed_at: null });
      default:
        return undefined;
    }
  },
};

const isOfEdge = ({ streamId }: StoredMessage): boolean => streamId.startsWith('edge/');

function shownOf(rules: EdgeRules | undefined): string {
  return JSON.stringify({ ...rules, users: rules?.users.map(({ name }) => name) ?? [] });
}
