import type { Pool } from 'pg';
import type { Backup } from '#api/backup.js';
import { pageFrom } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import { mustMay, roleJoin, seen, sightOf, type Asker } from './access.js';
import type { BackupRow } from './backups.projection.js';
import { PageQuery } from './page-query.js';

export interface BackupQuery {
  readonly siteId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Backups as the members of their projects see them; nobody else finds them. */
export class BackupQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  /** What the asker may not see is not found, in the same words. */
  async find(asker: Asker, id: string): Promise<Backup> {
    return show(await this.row(asker, id));
  }

  /** For what follows from a request: whose project it is in. */
  async ownerOf(asker: Asker, id: string): Promise<Pick<BackupRow, 'id' | 'owner'>> {
    return this.row(asker, id);
  }

  /** Those that are not deleted, newest first: of the projects that the asker may see; of one project or site, which they have been found to see; or everybody's. */
  async page(asker: Asker | undefined, { siteId, projectId, limit, cursor }: BackupQuery): Promise<{ items: Backup[]; nextCursor?: string }> {
    const statement = new PageQuery()
      .always("t.status <> 'deleted'")
      .add('t.site_id = ?', siteId)
      .add('t.project_id = ?', projectId)
      .after(cursor)
      .statement({ schema: this.schema, table: 'backups', asker: siteId === undefined && projectId === undefined ? asker : undefined, limit, columns: 't.*', joins: '' });
    const { rows } = await this.db.query<BackupRow>(statement);
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }

  /** Ids of the newest that are there, by site, of a project that was found to be seen; `until`: only such as were begun by then. */
  async newestOfEach(projectId: string, until: string | undefined): Promise<ReadonlyMap<string, string>> {
    const text = `SELECT DISTINCT ON (site_id) site_id, id FROM ${this.schema}.backups WHERE project_id = $1 AND status = 'taken' AND ($2::text IS NULL OR created_at <= $2) ORDER BY site_id, created_position DESC`;
    const { rows } = await this.db.query<Pick<BackupRow, 'site_id' | 'id'>>({ name: 'newest-backups', text, values: [projectId, until === undefined ? null : new Date(until).toISOString()] });
    return new Map(rows.map((row) => [row.site_id, row.id]));
  }

  private async row(asker: Asker, id: string): Promise<BackupRow> {
    const text = `SELECT b.*, m.role FROM ${this.schema}.backups b ${roleJoin(this.schema, 'b.project_id')} WHERE b.id = $1 AND ${seen('b.project_id')}`;
    const { rows } = await this.db.query<BackupRow & { role: string | null }>({ name: 'backup', text, values: [id, ...sightOf(asker)] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no backup "${id}".`);
    mustMay(asker, rows[0].role);
    return rows[0];
  }
}

function show(row: BackupRow): Backup {
  return {
    id: row.id, status: row.status as Backup['status'], siteId: row.site_id, siteName: row.site_name, kind: row.kind, projectId: row.project_id,
    ...(row.target ? { target: row.target } : {}),
    ...(row.size_bytes === null ? {} : { sizeBytes: Number(row.size_bytes), durationMs: Number(row.duration_ms), frozenMs: Number(row.frozen_ms) }),
    ...(row.sha256 ? { sha256: row.sha256 } : {}),
    ...(row.error ? { error: row.error } : {}),
    operationId: row.operation_id, createdAt: row.created_at, updatedAt: row.updated_at,
  };
}
