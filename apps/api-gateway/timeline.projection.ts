import { categoryOf, keyOf, type StoredMessage } from '#contracts/message.js';

export type TimelineRow = {
  position: number;
  owner: string;
  type: string;
  stream: string;
  site_id: string | null;
  project_id: string | null;
  operation_id: string | null;
  /** JSON, without what outsiders may not see. */
  data: string;
  correlation_id: string;
  causation_id: string;
  actor: string;
  recorded_at: string;
};

/** Every event as outsiders see it, found by owner, site, project or operation. */
export const timelineTable = {
  table: 'timeline',
  columns: {
    position: 'bigint', owner: 'text', type: 'text', stream: 'text', site_id: 'text', project_id: 'text', operation_id: 'text', data: 'text',
    correlation_id: 'text', causation_id: 'text', actor: 'text', recorded_at: 'text',
  } satisfies Record<keyof TimelineRow, string>,
  indexes: ['owner, position', 'site_id, position', 'project_id, position', 'operation_id, position'],
  appendOnly: true,
};

/** Events of an operation are its site's and project's too: `of` knows which those are. */
export function timelineRow(message: StoredMessage, of: (operationId: string) => { site_id: string | null; project_id: string | null } | undefined): TimelineRow | undefined {
  if (message.kind !== 'event') return undefined;
  const { siteId, projectId, operationId } = message.data as { siteId?: string; projectId?: string; operationId?: string };
  const operation = operationId ? of(operationId) : undefined;
  const isSites = ['site', 'workload', 'edge', 'route'].includes(categoryOf(message.streamId));
  return {
    position: message.position,
    owner: message.meta.owner,
    type: message.type,
    stream: message.streamId,
    site_id: siteId || (isSites ? keyOf(message.streamId) : operation?.site_id) || null,
    project_id: projectId || operation?.project_id || null,
    operation_id: operationId || null,
    data: JSON.stringify(withoutSecrets(message.data)),
    correlation_id: message.meta.correlationId,
    causation_id: message.meta.causationId,
    actor: message.meta.actor,
    recorded_at: message.recordedAt,
  };
}

/** Working data of workflows holds whole specs, and a token's hash is nobody's business. */
const HIDDEN = new Set(['input', 'output', 'tokenHash']);

/** A copy without hidden fields; of an app's environment only the names are left. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, held]) => {
      if (HIDDEN.has(key)) return [];
      if (key === 'env') return [['envNames', Object.keys((held ?? {}) as object).sort()]];
      return [[key, withoutSecrets(held)]];
    }),
  );
}
