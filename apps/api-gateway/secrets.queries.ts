import type { Pool } from 'pg';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { Secret } from '#api/secret.js';
import type { SecretRow } from './secrets.projection.js';

/** Secrets of projects that were found to be seen. */
export class SecretQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  async find(projectId: string, name: string): Promise<Secret> {
    const text = `SELECT * FROM ${this.schema}.secrets WHERE project_id = $1 AND name = $2 AND revoked_at IS NULL`;
    const { rows } = await this.db.query<SecretRow>({ name: 'secret', text, values: [projectId, name] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no secret "${name}".`);
    return show(rows[0]);
  }

  async page(projectId: string, { limit, cursor }: { limit: number; cursor?: string | undefined }): Promise<{ items: Secret[]; nextCursor?: string }> {
    const before = cursor === undefined ? null : readCursor(cursor);
    const text = `SELECT * FROM ${this.schema}.secrets WHERE project_id = $1 AND revoked_at IS NULL AND ($2::bigint IS NULL OR created_position < $2) ORDER BY created_position DESC LIMIT $3`;
    const { rows } = await this.db.query<SecretRow>({ name: 'secrets-page', text, values: [projectId, before, limit + 1] });
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }
}

function show({ name, version, made_by, site_id, created_at, updated_at, opened_at }: SecretRow): Secret {
  return {
    name, version, isGenerated: made_by === 'vault', ...(site_id ? { siteId: site_id } : {}),
    createdAt: created_at, updatedAt: updated_at, ...(opened_at ? { openedAt: opened_at } : {}),
  };
}
