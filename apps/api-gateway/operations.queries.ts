import type { Pool } from 'pg';
import type { Operation, OperationStep } from '#api/operation.js';
import { pageFrom } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import { mustMay, roleJoin, seen, sightOf, type Asker } from './access.js';
import type { OperationRow } from './operations.projection.js';
import { PageQuery } from './page-query.js';

export interface OperationQuery {
  readonly siteId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly status?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Operations as the members of their projects see them; nobody else finds them. */
export class OperationQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  /** What the asker may not see is not found, in the same words. */
  async find(asker: Asker, id: string): Promise<Operation> {
    const text = `SELECT o.*, m.role FROM ${this.schema}.operations o ${roleJoin(this.schema, 'o.project_id')} WHERE o.id = $1 AND ${seen('o.project_id')}`;
    const { rows } = await this.db.query<OperationRow & { role: string | null }>({ name: 'operation', text, values: [id, ...sightOf(asker)] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no operation "${id}".`);
    mustMay(asker, rows[0].role);
    return show(rows[0]);
  }

  /** Of the projects that the asker may see; of one project or site, which they have been found to see; or everybody's. */
  async page(asker: Asker | undefined, { siteId, projectId, status, limit, cursor }: OperationQuery): Promise<{ items: Operation[]; nextCursor?: string }> {
    const statement = new PageQuery()
      .add('t.site_id = ?', siteId)
      .add('t.project_id = ?', projectId)
      .add('t.status = ?', status)
      .after(cursor)
      .statement({ schema: this.schema, table: 'operations', asker: siteId === undefined && projectId === undefined ? asker : undefined, limit, columns: 't.*', joins: '' });
    const { rows } = await this.db.query<OperationRow>(statement);
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
    ...(row.delay ? { delay: row.delay } : {}),
    ...(row.failed_step ? { failedStep: row.failed_step } : {}),
    undone: JSON.parse(row.undone) as string[],
    createdAt: row.created_at, updatedAt: row.updated_at,
  };
}
