import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '#api/problem.js';
import { allows } from '#api/token.js';
import { mustCarry } from './access.js';
import { header } from './call.js';
import { LogOrigin } from './log-origin.js';
import { routeOf } from './serves.js';
import { TokenBook } from './tokens.queries.js';

/** Lets nobody in without a token that is known, neither expired nor revoked, and carries what the route needs. In which project: see access.ts. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly tokens: TokenBook,
    private readonly origin: LogOrigin,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { scope, right } = routeOf(context.getHandler());
    const given = bearerOf(request);
    const caller = given === undefined ? undefined : await this.tokens.callerOf(given);
    if (caller) Object.assign(request, { caller, origin: await this.origin.hash() });
    if (scope === 'none') return true;
    if (given === undefined) throw new ProblemError('unauthenticated', 'A token is needed: send it as Authorization: Bearer hp_….');
    if (!caller) throw new ProblemError('unauthenticated', 'The token is not known, has expired or was revoked. Get another one.');
    if (!allows(caller.scopes, scope)) throw new ProblemError('forbidden', `The token "${caller.tokenName}" lacks the scope ${scope}.`);
    mustCarry(caller, right);
    return true;
  }
}

/** The token of a request: undefined when none was sent, empty when what was sent is not one. */
export function bearerOf(request: FastifyRequest): string | undefined {
  const authorization = header(request, 'authorization');
  if (authorization === undefined) return undefined;
  return /^Bearer +(hp_[A-Za-z0-9_-]{16,250}) *$/i.exec(authorization)?.[1] ?? '';
}
