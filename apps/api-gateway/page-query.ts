import { createHash } from 'node:crypto';
import { readCursor } from '#api/paging.js';
import { memberships, sightOf, type Asker } from './access.js';

interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/** A page of rows that have a project, newest first: with what they are joined to, and to whom they are shown. */
export interface Page {
  readonly schema: string;
  readonly table: string;
  /** Undefined: everybody's, or those of a project that was found to be seen. */
  readonly asker: Asker | undefined;
  readonly limit: number;
  /** What to select of `t`, and joins to it. */
  readonly columns: string;
  readonly joins: string;
}

/** So many projects are each read by their own index. */
export const FEW = 16;
/** Of whoever has more, a page is looked for among so many of the nearest rows of all. */
export const NEAREST = 1_000;

/** Puts a list's conditions together, parameters only. */
export class PageQuery {
  private readonly values: unknown[] = [];
  private readonly where: string[] = [];
  private readonly older: string[] = [];

  /** A condition on `t`, with ? for its value; left out when there is none. */
  add(condition: string, value: unknown): this {
    if (value !== undefined) this.where.push(condition.replace('?', `$${this.values.push(value)}`));
    return this;
  }

  always(condition: string): this {
    this.where.push(condition);
    return this;
  }

  /** What comes after a page that ended there. */
  after(cursor: string | undefined): this {
    if (cursor !== undefined) this.older.push(`t.created_position < $${this.values.push(readCursor(cursor))}`);
    return this;
  }

  statement({ schema, table, asker, limit, columns, joins }: Page): Statement {
    const values = [...this.values, limit + 1];
    const most = `ORDER BY t.created_position DESC LIMIT $${values.length}`;
    const rows = (where: readonly string[], upTo = most): string => `(SELECT t.* FROM ${schema}.${table} t${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''} ${upTo}) t`;
    const size = `$${values.length}`;
    const { first, from } = asker ? this.ofMember(schema, { rows, member: values.push(...sightOf(asker).slice(0, 2)) - 1, size, most }) : { first: '', from: rows([...this.older, ...this.where]) };
    const text = `${first}SELECT ${columns} FROM ${from} ${joins} ${most}`;
    return { name: `${table}-${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`, text, values };
  }

  /**
   * Each project that somebody may see is read by its own index, newest first, as far as the page goes. Who may see many would pay for each of them: most of what is newest of all is theirs, so
   * it is looked through before, and only when the page is not full of it each project is read.
   */
  private ofMember(schema: string, { rows, member, size, most }: Seen): { first: string; from: string } {
    const own = memberships(member);
    const isTheirs = `EXISTS (SELECT FROM ${schema}.members m WHERE m.id = t.project_id || '/' || $${member} AND ${own} OFFSET 0)`;
    const newest = rows(this.older, `ORDER BY t.created_position DESC LIMIT ${NEAREST}`);
    const each = rows(['t.project_id = m.project_id', ...this.older, ...this.where]);
    return {
      first: `WITH own AS MATERIALIZED (SELECT FROM ${schema}.members m WHERE ${own} LIMIT ${FEW + 1}),
        newest AS MATERIALIZED (SELECT t.* FROM ${newest} WHERE ${[`(SELECT count(*) FROM own) > ${FEW}`, ...this.where, isTheirs].join(' AND ')} ${most}) `,
      from: `(SELECT * FROM newest WHERE (SELECT count(*) FROM newest) = ${size}
        UNION ALL (SELECT t.* FROM ${schema}.members m CROSS JOIN LATERAL ${each} WHERE ${own} AND (SELECT count(*) FROM newest) < ${size} ${most})) t`,
    };
  }
}

/** How a page is written of what a member may see, who is the parameter of this number. */
interface Seen {
  rows(where: readonly string[], upTo?: string): string;
  readonly member: number;
  /** Of the page. */
  readonly size: string;
  readonly most: string;
}
