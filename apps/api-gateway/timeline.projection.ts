import { categoryOf, keyOf, type StoredMessage } from '#contracts/message.js';

export type TimelineRow = {
  position: number;
  /** Who may see it: the members of a project, by its id, or `owner:<owner>` for what is of no project. */
  audience: string;
  type: string;
  stream: string;
  site_id: string | null;
  operation_id: string | null;
  /** JSON, without what outsiders may not see. */
  data: string;
  correlation_id: string;
  causation_id: string;
  actor: string;
  recorded_at: string;
};

/** Every event as outsiders see it, found by audience, site, project or operation. */
export const timelineTable = {
  table: 'timeline',
  columns: {
    position: 'bigint', audience: 'text', type: 'text', stream: 'text', site_id: 'text', operation_id: 'text', data: 'text',
    correlation_id: 'text', causation_id: 'text', actor: 'text', recorded_at: 'text',
  } satisfies Record<keyof TimelineRow, string>,
  indexes: ['audience, position', 'site_id, position', 'operation_id, position'],
  appendOnly: true,
};

/** Who sees what of an owner is of no project. */
export const ownAudience = (owner: string): string => `owner:${owner}`;

interface About {
  readonly siteId: string | undefined;
  readonly projectId: string | undefined;
  readonly operationId: string | undefined;
}

const OF_A_SITE = new Set(['site', 'workload', 'archive', 'edge', 'route']);

/** What an event says itself of what it is about. */
export function aboutOf(event: StoredMessage): About {
  const { siteId, projectId, operationId } = event.data as { siteId?: string; projectId?: string; operationId?: string };
  const isSites = OF_A_SITE.has(categoryOf(event.streamId));
  return { siteId: siteId || (isSites ? keyOf(event.streamId) : undefined), projectId: projectId || undefined, operationId: operationId || undefined };
}

/** An event of an operation is its site's and project's too: `about` names those. */
export function timelineRow(event: StoredMessage, about: About): TimelineRow {
  return {
    position: event.position,
    audience: about.projectId ?? ownAudience(event.meta.owner),
    type: event.type,
    stream: event.streamId,
    site_id: about.siteId ?? null,
    operation_id: about.operationId ?? null,
    data: JSON.stringify(withoutSecrets(event.data)),
    correlation_id: event.meta.correlationId,
    causation_id: event.meta.causationId,
    actor: event.meta.actor,
    recorded_at: event.recordedAt,
  };
}

/** Working data of workflows holds whole specs; a token's hash and what only the vault can open are nobody's business. */
const HIDDEN = new Set(['input', 'output', 'tokenHash', 'ciphertext', 'box']);

/** A copy without hidden fields; of an app's environment only the names are left. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const { sealedEnv } = value as { sealedEnv?: readonly { name: string }[] };
  const shown: Record<string, unknown> = {};
  for (const [key, held] of Object.entries(value)) {
    if (HIDDEN.has(key) || key === 'sealedEnv') continue;
    if (key === 'env') shown['envNames'] = [...Object.keys((held ?? {}) as object), ...(sealedEnv ?? []).map(({ name }) => name)].sort();
    else shown[key] = withoutSecrets(held);
  }
  return shown;
}
