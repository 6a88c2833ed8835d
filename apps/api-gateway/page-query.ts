import { createHash } from 'node:crypto';
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

/** Puts a list's conditions together, parameters only. */
export class PageQuery {
  private readonly values: unknown[] = [];
  private readonly where: string[] = [];

  /** A condition on `t`, with ? for its value; left out when there is none. */
  add(condition: string, value: unknown): this {
    if (value !== undefined) this.where.push(condition.replace('?', `$${this.values.push(value)}`));
    return this;
  }

  always(condition: string): this {
    this.where.push(condition);
    return this;
  }

  /** Each project that somebody may see is read by its own index, newest first, as far as the page goes. */
  statement({ schema, table, asker, limit, columns, joins }: Page): Statement {
    const values = [...this.values, limit + 1];
    const most = `ORDER BY t.created_position DESC LIMIT $${values.length}`;
    const rows = (where: readonly string[]): string => `(SELECT t.* FROM ${schema}.${table} t${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''} ${most}) t`;
    if (asker) values.push(...sightOf(asker).slice(0, 2));
    const from = asker ? `${schema}.members m CROSS JOIN LATERAL ${rows(['t.project_id = m.project_id', ...this.where])}` : rows(this.where);
    const text = `SELECT ${columns} FROM ${from} ${joins} ${asker ? `WHERE ${memberships(values.length - 1)}` : ''} ${most}`;
    return { name: `${table}-${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`, text, values };
  }
}
