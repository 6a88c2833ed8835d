import type { Pool } from 'pg';
import type { ShownEvent } from '#api/event.js';
import { pageFrom, readCursor } from '#api/paging.js';
import { memberships, sightOf, type Asker } from './access.js';
import { FEW, NEAREST } from './page-query.js';
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

/** A page as SQL: the parameters, the conditions of which the first `span` are about positions alone, the order with a limit, and the parameter of the page's size. */
interface Window {
  readonly values: unknown[];
  readonly where: readonly string[];
  readonly span: number;
  readonly order: (upTo: string | number) => string;
  readonly size: string;
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
    const size = `$${values.push(limit)}`;
    const order = (upTo: string | number) => `ORDER BY position ${direction === 'desc' ? 'DESC' : 'ASC'} LIMIT ${upTo}`;
    const isNamed = filter.siteId !== undefined || filter.projectId !== undefined || filter.operationId !== undefined;
    if (!filter.asker || isNamed) return this.inLog(this.select(where, order(size)), order(size), values);
    const span = before === undefined ? 1 : 2;
    return this.inLog(this.ofMember(filter.asker, { values, where, span, order, size }), order(size), values);
  }

  /**
   * Each project's own index is read as far as the page goes. Who may see many would pay for each of them: most of what is nearest is theirs, so it is looked through before, and only when the page is
   * not full of it each project is read.
   */
  private ofMember(asker: Asker, { values, where, span, order, size }: Window): string {
    const n = values.push(...sightOf(asker).slice(0, 2)) - 1;
    const own = asker.caller.projects ? undefined : `$${values.push(ownAudience(asker.caller.owner))}`;
    const [members, isOwn] = [`${this.schema}.members m`, memberships(n)];
    const audiences = `SELECT m.project_id AS id FROM ${members} WHERE ${isOwn}${own ? ` UNION ALL SELECT ${own}` : ''}`;
    const isTheirs = `(${own ? `audience = ${own} OR ` : ''}EXISTS (SELECT FROM ${members} WHERE m.id = audience || '/' || $${n} AND ${isOwn} OFFSET 0))`;
    return `WITH many AS MATERIALIZED (SELECT count(*) > ${FEW} AS yes FROM (SELECT FROM ${members} WHERE ${isOwn} LIMIT ${FEW + 1}) m),
      near AS MATERIALIZED (${this.select([...where.slice(0, span), '(SELECT yes FROM many)'], order(NEAREST))}),
      page AS MATERIALIZED (SELECT * FROM near WHERE ${[...where, isTheirs].join(' AND ')} ${order(size)}),
      enough AS MATERIALIZED (SELECT (SELECT count(*) FROM page) = ${size} OR ((SELECT yes FROM many) AND (SELECT count(*) FROM near) < ${NEAREST}) AS yes)
      SELECT * FROM page WHERE (SELECT yes FROM enough)
      UNION ALL (SELECT t.* FROM (${audiences}) a CROSS JOIN LATERAL (${this.select([...where, 'audience = a.id'], order(size))}) t WHERE NOT (SELECT yes FROM enough) ${order(size)})`;
  }

  private select(where: readonly string[], order: string): string {
    return `SELECT * FROM ${this.schema}.timeline WHERE ${where.join(' AND ')} ${order}`;
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
