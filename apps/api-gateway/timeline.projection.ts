import { categoryOf, keyOf, type StoredMessage } from '#contracts/message.js';

export type TimelineRow = {
  position: number;
  /** Who may see it: the members of a project, by its id, or `owner:<owner>` for what is of no project. */
  audience: string;
  type: string;
  site_id: string | null;
  operation_id: string | null;
};

/** An index of the log: where the events are that somebody may see, by audience, site, project or operation. What they say stays in the log alone. */
export const timelineTable = {
  table: 'timeline',
  columns: { position: 'bigint', audience: 'text', type: 'text', site_id: 'text', operation_id: 'text' } satisfies Record<keyof TimelineRow, string>,
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

const OF_A_SITE = new Set(['site', 'workload', 'archive', 'edge', 'health', 'route']);

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
    site_id: about.siteId ?? null,
    operation_id: about.operationId ?? null,
  };
}
