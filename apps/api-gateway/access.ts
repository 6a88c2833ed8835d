import { ProblemError } from '#api/problem.js';
import { allows } from '#api/token.js';
import { includesRight, isProjectRight, lacking, may, type Right, type Standing } from '#domain/access/rights.js';
import type { Caller } from './call.js';

/** Who asks, and for what: without it no query finds anything. */
export interface Asker {
  readonly caller: Caller;
  readonly right: Right | 'none';
}

/** Whoever runs the plane: an admin token that is limited to nothing. */
export function isOperator({ scopes, projects, verbs }: Caller): boolean {
  return allows(scopes, 'admin') && projects === undefined && verbs === undefined;
}

/** Refuses what the token itself does not carry, whatever it is asked of. */
export function mustCarry(caller: Caller, right: Right | 'none'): void {
  if (right === 'none') return;
  if (caller.verbs && !includesRight(caller.verbs, right)) throw new ProblemError('forbidden', `The token "${caller.tokenName}" lacks the right ${right}: it is limited to ${caller.verbs.join(', ')}.`);
  if (caller.projects && right === 'projects:create') throw new ProblemError('forbidden', `The token "${caller.tokenName}" is limited to certain projects, and lacks the right ${right}.`);
}

/** Refuses who may see a project, or they would not have come here, but may not do this in it. `role` is that of the member; null: none. */
export function mustMay({ caller, right }: Asker, role: string | null): void {
  if (right === 'none' || !isProjectRight(right)) return;
  const standing = (role ?? 'operator') as Standing;
  if (!may(standing, right) && !(isOperator(caller) && may('operator', right))) throw new ProblemError('forbidden', lacking(standing, right));
}

/** Whether everybody's is asked for; only for who runs the plane. */
export function asksForAll({ caller }: Asker, all: boolean | undefined): boolean {
  if (!all) return false;
  if (!isOperator(caller)) throw new ProblemError('forbidden', "Only an admin token that is limited to nothing may see every owner's: leave out `all`.");
  return true;
}

/** What the statements below need to know of who asks: the member, the projects that the token is limited to, whether it runs the plane. */
export function sightOf({ caller }: Asker): readonly [string, readonly string[] | null, boolean] {
  return [caller.owner, caller.projects ?? null, isOperator(caller)];
}

/** Joins the role that $2 has in the project of a row, by one look at an index; `seen` is the condition that goes with it. With $2 to $4 from sightOf(). */
export const roleJoin = (schema: string, project: string): string => `LEFT JOIN ${schema}.members m ON m.id = ${project} || '/' || $2`;
export const seen = (project: string): string => `(m.role IS NOT NULL OR $4::boolean) AND ($3::text[] IS NULL OR ${project} = ANY($3))`;

/** The memberships of $n, within the limits of its token in the parameter after it. */
export const memberships = (n: number): string => `m.member = $${n} AND m.role IS NOT NULL AND ($${n + 1}::text[] IS NULL OR m.project_id = ANY($${n + 1}))`;

/** Of rows that bear a name, the caller's own first: the one that is meant. Two of others' are not told apart by a name. */
export function theOneNamed<R extends { id: string; owner: string }>(rows: readonly R[], { caller }: Asker, what: string, name: string): R | undefined {
  const [first, second] = rows;
  if (!second || first?.owner === caller.owner) return first;
  throw new ProblemError('conflict', `"${name}" is the name of more than one ${what} that you may see. Say which by its id: ${rows.map(({ id }) => id).join(' or ')}.`);
}
