import type { Pool } from 'pg';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { Project } from '#api/project.js';
import type { ProjectRow } from './projects.projection.js';

export interface ProjectQuery {
  readonly owner: string | undefined;
  readonly status?: string | undefined;
  readonly name?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

type Counted = ProjectRow & { site_count: number };

/** Projects as their owner sees them; nobody else's are ever found. */
export class ProjectQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  /** By id, or by the name of a project that is not deleted. */
  async find(owner: string, idOrName: string, field?: string): Promise<Project> {
    const found = await this.lookUp(owner, idOrName);
    if (found) return found;
    const detail = `There is no project "${idOrName}".`;
    throw new ProblemError('not-found', detail, field ? { errors: [{ field, message: detail }] } : {});
  }

  async lookUp(owner: string, idOrName: string): Promise<Project | undefined> {
    const isId = UUID.test(idOrName);
    const which = isId ? 'p.id = lower($1)' : "p.name = $1 AND p.status <> 'deleted'";
    const { rows } = await this.db.query<Counted>({ name: isId ? 'project' : 'project-by-name', text: `${this.select()} WHERE ${which} AND p.owner = $2`, values: [idOrName, owner] });
    return rows[0] && show(rows[0]);
  }

  async page({ owner, status, name, limit, cursor }: ProjectQuery): Promise<{ items: Project[]; nextCursor?: string }> {
    const before = cursor === undefined ? null : readCursor(cursor);
    const text = `${this.select()} WHERE ($1::text IS NULL OR p.owner = $1) AND ($2::text IS NULL AND p.status <> 'deleted' OR p.status = $2)
      AND ($3::text IS NULL OR p.name = $3) AND ($4::bigint IS NULL OR p.created_position < $4) ORDER BY p.created_position DESC LIMIT $5`;
    const { rows } = await this.db.query<Counted>({ name: 'projects-page', text, values: [owner ?? null, status ?? null, name ?? null, before, limit + 1] });
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }

  private select(): string {
    const count = `(SELECT count(*)::int FROM ${this.schema}.sites s WHERE s.project_id = p.id AND s.status <> 'DESTROYED')`;
    return `SELECT p.*, ${count} AS site_count FROM ${this.schema}.projects p`;
  }
}

function show(row: Counted): Project {
  return {
    id: row.id, name: row.name, status: row.status as Project['status'], hostId: row.host_id, siteCount: row.site_count,
    ...(row.last_error ? { lastError: row.last_error } : {}),
    createdAt: row.created_at, updatedAt: row.updated_at,
  };
}
