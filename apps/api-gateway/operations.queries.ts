import type { Pool } from 'pg';
import type { Operation, OperationStep } from '#api/operation.js';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { OperationRow } from './operations.projection.js';

export interface OperationQuery {
  readonly owner: string | undefined;
  readonly siteId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly status?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Operations as their owner sees them; nobody else's are ever found. */
export class OperationQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  async find(owner: string, id: string): Promise<Operation> {
    const text = `SELECT * FROM ${this.schema}.operations WHERE id = $1 AND owner = $2`;
    const { rows } = await this.db.query<OperationRow>({ name: 'operation', text, values: [id, owner] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no operation "${id}".`);
    return show(rows[0]);
  }

  async page({ owner, siteId, projectId, status, limit, cursor }: OperationQuery): Promise<{ items: Operation[]; nextCursor?: string }> {
    const before = cursor === undefined ? null : readCursor(cursor);
    const text = `SELECT * FROM ${this.schema}.operations WHERE ($1::text IS NULL OR owner = $1) AND ($2::text IS NULL OR site_id = $2)
      AND ($3::text IS NULL OR project_id = $3) AND ($4::text IS NULL OR status = $4) AND ($5::bigint IS NULL OR created_position < $5) ORDER BY created_position DESC LIMIT $6`;
    const values = [owner ?? null, siteId ?? null, projectId ?? null, status ?? null, before, limit + 1];
    const { rows } = await this.db.query<OperationRow>({ name: 'operations-page', text, values });
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }
}

function show(row: OperationRow): Operation {
  return {
    id: row.id, kind: row.kind, status: row.status as Operation['status'],
    ...(row.site_id ? { siteId: row.site_id } : {}),
    ...(row.project_id ? { projectId: row.project_id } : {}),
    steps: JSON.parse(row.steps) as OperationStep[],
    ...(row.error ? { error: row.error } : {}),
    ...(row.failed_step ? { failedStep: row.failed_step } : {}),
    undone: JSON.parse(row.undone) as string[],
    createdAt: row.created_at, updatedAt: row.updated_at,
  };
}
