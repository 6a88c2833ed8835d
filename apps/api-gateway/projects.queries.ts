import type { Pool } from 'pg';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { Project } from '#api/project.js';
import { quotaOf, wishOf, type Quota } from '#domain/project/quota.js';
import { memberships, mustMay, roleJoin, seen, sightOf, theOneNamed, type Asker } from './access.js';
import type { ProjectRow } from './projects.projection.js';

export interface ProjectQuery {
  readonly status?: string | undefined;
  readonly name?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

type Found = ProjectRow & { site_count: number; role: string | null };

/** Projects as their members see them; nobody else finds them. */
export class ProjectQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
    private readonly usual: Quota,
  ) {}

  /** By id, or by the name of a project that is not deleted. What the asker may not see is not found, in the same words. */
  async find(asker: Asker, idOrName: string, field?: string): Promise<Project> {
    const found = UUID.test(idOrName) ? await this.withId(asker, idOrName) : await this.named(asker, idOrName);
    if (found) {
      mustMay(asker, found.role);
      return this.show(found);
    }
    const detail = `There is no project "${idOrName}".`;
    throw new ProblemError('not-found', detail, field ? { errors: [{ field, message: detail }] } : {});
  }

  /** Of those that the asker founded, the one with this name. */
  async ownNamed(asker: Asker, name: string): Promise<Project | undefined> {
    const found = await this.ofOwner(asker, name);
    if (!found) return undefined;
    mustMay(asker, found.role);
    return this.show(found);
  }

  /** Those that the asker may see, or everybody's. */
  async page(asker: Asker | undefined, { status, name, limit, cursor }: ProjectQuery): Promise<{ items: Project[]; nextCursor?: string }> {
    const before = cursor === undefined ? null : readCursor(cursor);
    const where = `($1::text IS NULL AND p.status <> 'deleted' OR p.status = $1) AND ($2::text IS NULL OR p.name = $2) AND ($3::bigint IS NULL OR p.created_position < $3)`;
    const text = asker
      ? `${this.select()} JOIN ${this.schema}.members m ON m.project_id = p.id WHERE ${where} AND ${memberships(5)} ORDER BY p.created_position DESC LIMIT $4`
      : `${this.select('NULL')} WHERE ${where} ORDER BY p.created_position DESC LIMIT $4`;
    const values = [status ?? null, name ?? null, before, limit + 1, ...(asker ? sightOf(asker).slice(0, 2) : [])];
    const { rows } = await this.db.query<Found>({ name: asker ? 'projects-page' : 'all-projects-page', text, values });
    return pageFrom(rows, limit, (row) => row.created_position, (row) => this.show(row));
  }

  private async withId(asker: Asker, id: string): Promise<Found | undefined> {
    const text = `${this.select()} ${roleJoin(this.schema, 'p.id')} WHERE p.id = lower($1) AND ${seen('p.id')}`;
    const { rows } = await this.db.query<Found>({ name: 'project', text, values: [id, ...sightOf(asker)] });
    return rows[0];
  }

  /** Whoever belongs to many projects has most by a name of their own: only for others' every project is looked into. */
  private async named(asker: Asker, name: string): Promise<Found | undefined> {
    return (await this.ofOwner(asker, name)) ?? (await this.ofOthers(asker, name));
  }

  private async ofOwner(asker: Asker, name: string): Promise<Found | undefined> {
    const text = `${this.select()} JOIN ${this.schema}.members m ON m.id = p.id || '/' || $2 WHERE p.owner = $2 AND p.name = $1 AND p.status <> 'deleted' AND ${memberships(2)}`;
    const { rows } = await this.db.query<Found>({ name: 'own-project-by-name', text, values: [name, ...sightOf(asker).slice(0, 2)] });
    return rows[0];
  }

  private async ofOthers(asker: Asker, name: string): Promise<Found | undefined> {
    const text = `${this.select()} JOIN ${this.schema}.members m ON m.project_id = p.id
      WHERE p.name = $1 AND p.status <> 'deleted' AND ${memberships(2)} ORDER BY p.owner = $2 DESC, p.created_position LIMIT 2`;
    const { rows } = await this.db.query<Found>({ name: 'project-by-name', text, values: [name, ...sightOf(asker).slice(0, 2)] });
    return theOneNamed(rows, asker, 'project', name);
  }

  private select(role = 'm.role'): string {
    const count = `(SELECT count(*)::int FROM ${this.schema}.sites s WHERE s.project_id = p.id AND s.status <> 'DESTROYED')`;
    return `SELECT p.*, ${role} AS role, ${count} AS site_count FROM ${this.schema}.projects p`;
  }

  private show(row: Found): Project {
    return {
      id: row.id, name: row.name, status: row.status as Project['status'], owner: row.owner, ...(row.role ? { role: row.role as NonNullable<Project['role']> } : {}),
      hostId: row.host_id, siteCount: row.site_count,
      quota: quotaOf(wishOf(JSON.parse(row.quota ?? '{}') as object), this.usual),
      use: {
        sites: row.used_sites, memoryBytes: row.used_memory, cpuMillis: row.used_cpu,
        diskBytes: row.used_disk + row.used_written, uploadBytes: row.used_disk, writtenBytes: row.used_written,
      },
      ...(row.last_error ? { lastError: row.last_error } : {}),
      createdAt: row.created_at, updatedAt: row.updated_at,
    };
  }
}
