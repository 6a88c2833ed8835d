import type { Pool } from 'pg';
import type { ShownEvent } from '#api/event.js';
import { pageFrom, readCursor } from '#api/paging.js';
import { memberships, sightOf, type Asker } from './access.js';
import { showEvent, type TimelineEvent } from './shown-event.js';
import { ownAudience, type TimelineRow } from './timeline.projection.js';

/** Which events somebody wants to see. What is named here was found to be seen by them. */
export interface TimelineFilter {
  /** Whose they may be, where nothing is named; undefined: everybody's. */
  readonly asker: Asker | undefined;
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

/** Events by their position: found in the timeline, read in the log. */
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
  async rows(filter: TimelineFilter, { after, before, limit, order: direction = 'asc' }: { after: number; before?: number | undefined; limit: number; order?: 'asc' | 'desc' }): Promise<TimelineEvent[]> {
    const values: unknown[] = [after];
    const where = ['position > $1'];
    const add = (condition: string, value: unknown) => {
      if (value !== undefined) where.push(condition.replace('?', `$${values.push(value)}`));
    };
    add('position < ?', before);
    add('site_id = ?', filter.siteId);
    add('audience = ?', filter.projectId);
    add('operation_id = ?', filter.operationId);
    add('type = ANY(?)', filter.types);
    const order = `ORDER BY position ${direction === 'desc' ? 'DESC' : 'ASC'} LIMIT $${values.push(limit)}`;
    const rows = (more: string): string => `SELECT * FROM ${this.schema}.timeline WHERE ${[...where, ...(more ? [more] : [])].join(' AND ')} ${order}`;
    const isNamed = filter.siteId !== undefined || filter.projectId !== undefined || filter.operationId !== undefined;
    if (!filter.asker || isNamed) return this.inLog(rows(''), order, values);
    // Each project's own index is read as far as the page goes.
    const { owner, projects } = filter.asker.caller;
    const [member, limits] = sightOf(filter.asker);
    const n = values.push(member, limits) - 1;
    const own = projects ? '' : ` UNION ALL SELECT $${values.push(ownAudience(owner))}`;
    const audiences = `SELECT m.project_id AS id FROM ${this.schema}.members m WHERE ${memberships(n)}${own}`;
    return this.inLog(`SELECT t.* FROM (${audiences}) a CROSS JOIN LATERAL (${rows('audience = a.id')}) t ${order}`, order, values);
  }

  private async inLog(rows: string, order: string, values: readonly unknown[]): Promise<TimelineEvent[]> {
    const text = `SELECT t.*, l.stream_id AS stream, l.data, l.meta, l.recorded_at FROM (${rows}) t JOIN log.messages l ON l.seq = t.position ${order}`;
    return (await this.db.query<TimelineEvent>(text, [...values])).rows;
  }
}

/** Whether a row is among those that somebody wants to see; says the same as the WHERE clause above, but for whose it may be: see Sight. */
export function matches(filter: TimelineFilter, row: TimelineRow): boolean {
  const { siteId, projectId, operationId, types } = filter;
  return (
    (siteId === undefined || row.site_id === siteId) &&
    (projectId === undefined || row.audience === projectId) &&
    (operationId === undefined || row.operation_id === operationId) &&
    (types === undefined || types.includes(row.type))
  );
}
