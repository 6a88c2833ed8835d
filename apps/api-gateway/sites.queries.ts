import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { Site } from '#api/site.js';
import type { SiteRow } from './sites.projection.js';

/** Where the edge serves sites. */
export interface EdgeAddress {
  readonly baseDomain: string;
  readonly httpPort: number;
}

export interface SiteQuery {
  readonly owner: string | undefined;
  readonly status?: string | undefined;
  readonly kind?: string | undefined;
  readonly projectId?: string | undefined;
  readonly name?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

type Joined = SiteRow & { operation_status: string | null };

/** Sites as their owner sees them; nobody else's are ever found. */
export class SiteQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
    private readonly edge: EdgeAddress,
  ) {}

  /** By id, or by the name of a site that is not destroyed. Somebody else's is not found, in the same words. */
  async find(owner: string, idOrName: string): Promise<Site> {
    const isId = UUID.test(idOrName);
    const which = isId ? 's.id = lower($1)' : "s.name = $1 AND s.status <> 'DESTROYED'";
    const { rows } = await this.db.query<Joined>({ name: isId ? 'site' : 'site-by-name', text: `${this.select()} WHERE ${which} AND s.owner = $2`, values: [idOrName, owner] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no site "${idOrName}".`);
    return this.show(rows[0]);
  }

  async page(query: SiteQuery): Promise<{ items: Site[]; nextCursor?: string }> {
    const values: unknown[] = [];
    const where: string[] = [];
    const add = (condition: string, value: unknown) => {
      if (value !== undefined) where.push(condition.replace('?', `$${values.push(value)}`));
    };
    add('s.owner = ?', query.owner);
    add('s.status = ?', query.status);
    if (query.status === undefined) where.push("s.status <> 'DESTROYED'");
    add('s.kind = ?', query.kind);
    add('s.project_id = ?', query.projectId);
    add('s.name = ?', query.name);
    add('s.created_position < ?', query.cursor === undefined ? undefined : readCursor(query.cursor));
    values.push(query.limit + 1);
    const text = `${this.select()} WHERE ${where.join(' AND ')} ORDER BY s.created_position DESC LIMIT $${values.length}`;
    const { rows } = await this.db.query<Joined>({ name: `sites-${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`, text, values });
    return pageFrom(rows, query.limit, (row) => row.created_position, (row) => this.show(row));
  }

  /** Whether a release of a site that is not destroyed consists of these bytes. */
  async usesContent(sha256: string): Promise<boolean> {
    const text = `SELECT 1 FROM ${this.schema}.sites WHERE status <> 'DESTROYED' AND (strpos(coalesce(release, ''), $1) > 0 OR strpos(coalesce(next_release, ''), $1) > 0) LIMIT 1`;
    return ((await this.db.query(text, [sha256])).rowCount ?? 0) > 0;
  }

  private select(): string {
    return `SELECT s.*, o.status AS operation_status FROM ${this.schema}.sites s LEFT JOIN ${this.schema}.operations o ON o.id = s.operation_id`;
  }

  private show(row: Joined): Site {
    const port = this.edge.httpPort === 80 ? '' : `:${this.edge.httpPort}`;
    const release = row.release ?? row.next_release;
    return {
      id: row.id,
      name: row.name,
      kind: row.kind as Site['kind'],
      status: row.status as Site['status'],
      power: row.power as Site['power'],
      url: `http://${row.hostname}.${this.edge.baseDomain}${port}`,
      runtime: row.runtime,
      projectId: row.project_id,
      hostId: row.host_id,
      ...(row.last_error ? { lastError: row.last_error } : {}),
      ...(row.app ? { app: JSON.parse(row.app) as NonNullable<Site['app']> } : {}),
      ...(release ? { release: JSON.parse(release) as NonNullable<Site['release']> } : {}),
      ...(row.operation_id ? { operation: { id: row.operation_id, kind: row.operation_kind ?? '', status: row.operation_status ?? 'waiting' } } : {}),
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
  }
}
