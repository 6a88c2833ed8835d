import type { Pool } from 'pg';
import type { ShownEvent } from '#api/event.js';
import { pageFrom, readCursor } from '#api/paging.js';
import type { TimelineRow } from './timeline.projection.js';

/** Which events somebody wants to see; owner undefined: everybody's. */
export interface TimelineFilter {
  readonly owner: string | undefined;
  readonly siteId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly operationId?: string | undefined;
  readonly types?: readonly string[] | undefined;
}

export interface TimelinePage {
  readonly after: number;
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly cursor?: string | undefined;
}

/** Events from the timeline, by their position. */
export class TimelineQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  async page(filter: TimelineFilter, page: TimelinePage): Promise<{ items: ShownEvent[]; nextCursor?: string }> {
    const from = page.cursor === undefined ? undefined : readCursor(page.cursor);
    const isDown = page.order === 'desc';
    const after = isDown ? page.after : Math.max(page.after, from ?? 0);
    const rows = await this.rows(filter, { after, before: isDown ? from : undefined, limit: page.limit + 1, order: page.order });
    return pageFrom(rows, page.limit, (row) => row.position, showEvent);
  }

  /** Rows between two positions, both left out. */
  async rows(filter: TimelineFilter, { after, before, limit, order = 'asc' }: { after: number; before?: number | undefined; limit: number; order?: 'asc' | 'desc' }): Promise<TimelineRow[]> {
    const values: unknown[] = [after];
    const where = ['position > $1'];
    const add = (condition: string, value: unknown) => {
      if (value !== undefined) where.push(condition.replace('?', `$${values.push(value)}`));
    };
    add('position < ?', before);
    add('owner = ?', filter.owner);
    add('site_id = ?', filter.siteId);
    add('project_id = ?', filter.projectId);
    add('operation_id = ?', filter.operationId);
    add('type = ANY(?)', filter.types);
    values.push(limit);
    const text = `SELECT * FROM ${this.schema}.timeline WHERE ${where.join(' AND ')} ORDER BY position ${order === 'desc' ? 'DESC' : 'ASC'} LIMIT $${values.length}`;
    return (await this.db.query<TimelineRow>(text, values)).rows;
  }
}

/** Whether a row is among those that somebody wants to see; says the same as the WHERE clause above. */
export function matches(filter: TimelineFilter, row: TimelineRow): boolean {
  const { owner, siteId, projectId, operationId, types } = filter;
  return (
    (owner === undefined || row.owner === owner) &&
    (siteId === undefined || row.site_id === siteId) &&
    (projectId === undefined || row.project_id === projectId) &&
    (operationId === undefined || row.operation_id === operationId) &&
    (types === undefined || types.includes(row.type))
  );
}

export function showEvent(row: TimelineRow): ShownEvent {
  return {
    position: row.position, type: row.type, stream: row.stream, data: JSON.parse(row.data) as Record<string, unknown>,
    meta: { correlationId: row.correlation_id, causationId: row.causation_id, actor: row.actor },
    recordedAt: row.recorded_at,
  };
}
