import type { Pool } from 'pg';
import type { Member } from '#api/member.js';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import { memberships, sightOf, type Asker } from './access.js';
import type { MemberRow } from './members.projection.js';

/** Members of projects that were found to be seen. */
export class MemberQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  async find(projectId: string, member: string): Promise<Member> {
    const text = `SELECT * FROM ${this.schema}.members WHERE id = $1 AND role IS NOT NULL`;
    const { rows } = await this.db.query<MemberRow>({ name: 'member', text, values: [`${projectId}/${member}`] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no member "${member}".`);
    return show(rows[0]);
  }

  async page(projectId: string, { limit, cursor }: { limit: number; cursor?: string | undefined }): Promise<{ items: Member[]; nextCursor?: string }> {
    const before = cursor === undefined ? null : readCursor(cursor);
    const text = `SELECT * FROM ${this.schema}.members WHERE project_id = $1 AND role IS NOT NULL AND ($2::bigint IS NULL OR created_position < $2) ORDER BY created_position DESC LIMIT $3`;
    const { rows } = await this.db.query<MemberRow>({ name: 'members-page', text, values: [projectId, before, limit + 1] });
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }

  /** Ids of the projects that somebody may see. */
  async projectsOf(asker: Asker): Promise<string[]> {
    const text = `SELECT m.project_id FROM ${this.schema}.members m WHERE ${memberships(1)}`;
    const { rows } = await this.db.query<{ project_id: string }>({ name: 'memberships', text, values: sightOf(asker).slice(0, 2) });
    return rows.map((row) => row.project_id);
  }
}

const show = ({ member, role, created_at: since }: MemberRow): Member => ({ member, role: role as Member['role'], since });
