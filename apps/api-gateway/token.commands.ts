import { randomBytes } from 'node:crypto';
import { ProblemError } from '#api/problem.js';
import type { Scope } from '#api/token.js';
import { deriveId } from '#contracts/ids.js';
import type { Cause } from '#contracts/message.js';
import type { Right } from '#domain/access/rights.js';
import { tokenDecider } from '#domain/token/token.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { isOperator, mustCarry } from './access.js';
import { mustAllow, type Call } from './call.js';
import type { ProjectQueries } from './projects.queries.js';
import type { ReadModel } from './read-model.js';
import { hashOf, type TokenBook } from './tokens.queries.js';

export interface TokenWish {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Ids or names. */
  readonly projects?: readonly string[] | undefined;
  readonly verbs?: readonly Right[] | undefined;
  readonly owner?: string | undefined;
  readonly expiresAt?: string | undefined;
}

/** Prefix and 256 random bits. */
export const newSecret = (): string => `hp_${randomBytes(32).toString('base64url')}`;

/** Issues and revokes tokens; the one aggregate that the gateway writes itself. */
export class TokenCommands {
  constructor(
    private readonly store: EventStore,
    private readonly readModel: ReadModel,
    private readonly tokens: TokenBook,
    private readonly projects: ProjectQueries,
  ) {}

  /** The token's id, and the token itself unless the same call issued it before. */
  async issue(wish: TokenWish, call: Call): Promise<{ id: string; token?: string }> {
    mustBeAllowed(wish, call);
    const projects = await this.projectsOf(wish, call);
    const id = call.id('token');
    const token = newSecret();
    const command = {
      type: 'IssueToken', tokenId: id, ownerId: wish.owner ?? call.caller.owner, name: wish.name, tokenHash: hashOf(token), scopes: [...new Set(wish.scopes)],
      projects, verbs: [...new Set(wish.verbs ?? call.caller.verbs ?? [])],
      expiresAt: wish.expiresAt ? new Date(wish.expiresAt).toISOString() : '',
    } as const;
    const { position, duplicate } = await handle(this.store, call.causeFor(command.ownerId), [on(tokenDecider, id, command)]);
    await this.readModel.shown(position);
    return duplicate ? { id } : { id, token };
  }

  /** Ids of the only projects that the new token is for. Whoever it is for must be able to see them, and so must the token that asks. */
  private async projectsOf({ projects, owner }: TokenWish, { caller }: Call): Promise<string[]> {
    if (!projects) return [...(caller.projects ?? [])];
    const holder = { caller: { ...caller, owner: owner ?? caller.owner }, right: 'projects:read' } as const;
    const found = await Promise.all(projects.map((project) => this.projects.find(holder, project, 'projects')));
    return [...new Set(found.map(({ id }) => id))];
  }

  async revoke({ id, owner }: { id: string; owner: string }, call: Call): Promise<void> {
    const { position } = await handle(this.store, call.causeFor(owner), [on(tokenDecider, id, { type: 'RevokeToken', tokenId: id })]);
    await this.readModel.shown(position);
    this.tokens.forget();
  }

  /** Makes sure that this token lets its holder in with every scope, for the owner "admin". Once is enough. */
  async ensureAdmin(token: string, name: string): Promise<void> {
    const hash = hashOf(token);
    const id = deriveId('admin token', hash);
    const cause: Cause = { id: deriveId(id, 'issue'), meta: { correlationId: id, causationId: id, actor: 'system:api-gateway', owner: 'admin' } };
    const command = { type: 'IssueToken', tokenId: id, ownerId: 'admin', name, tokenHash: hash, scopes: ['read', 'write', 'admin'], projects: [], verbs: [], expiresAt: '' } as const;
    const { position } = await handle(this.store, cause, [on(tokenDecider, id, command)]);
    await this.readModel.shown(position);
  }
}

/** Nobody hands out more than they have: other owners, wider scopes, more projects and rights, and longer lives are for who runs the plane. */
function mustBeAllowed({ owner, scopes, verbs = [], expiresAt }: TokenWish, { caller }: Call): void {
  if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.now()) {
    const message = 'The token would have expired already.';
    throw new ProblemError('invalid', message, { errors: [{ field: 'expiresAt', message }] });
  }
  if (isOperator(caller)) return;
  if (owner !== undefined && owner !== caller.owner) throw new ProblemError('forbidden', 'Only an admin token that is limited to nothing may issue a token for somebody else.');
  for (const verb of verbs) mustCarry(caller, verb);
  for (const scope of scopes) mustAllow(caller, scope, `Your token lacks the scope ${scope} and cannot hand it out.`);
  if (caller.expiresAt !== undefined && (expiresAt === undefined || Date.parse(expiresAt) > Date.parse(caller.expiresAt))) {
    throw new ProblemError('forbidden', `Your token expires at ${caller.expiresAt}; the new one may not live longer.`);
  }
}
