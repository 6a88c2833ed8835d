import { createHash, createHmac, randomUUID } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '#api/problem.js';
import { allows, type Scope, type Session } from '#api/token.js';
import type { Right } from '#domain/access/rights.js';
import { childTraceparent } from '#boot/telemetry.js';
import { deriveId } from '#contracts/ids.js';
import type { Cause } from '#contracts/message.js';
import type { Asker } from './access.js';
import { routeOf } from './serves.js';

/** Who asks; put on the request by the guard. */
export type Caller = Session;

declare module 'fastify' {
  interface FastifyRequest {
    caller?: Caller;
    /** What tells this plane from others. */
    origin?: string;
  }
}

/** One request as the gateway works on it: who asks, and the ids of everything that follows from it. */
export class Call implements Asker {
  /** Name of the route and the path that it was called with. */
  readonly route: string;
  /** Idempotency-Key, if one was given. */
  readonly key: string | undefined;
  readonly right: Right | 'none';
  private readonly seed: string;

  constructor(
    readonly caller: Caller,
    private readonly request: FastifyRequest,
    { name, right }: { readonly name: string; readonly right: Right | 'none' },
  ) {
    this.right = right;
    this.key = keyOf(request);
    this.seed = this.key ?? randomUUID();
    this.route = `${name} ${request.url.split('?', 1)[0]}`;
  }

  /** Whose keys these are: the owner's, but a token that is limited has keys of its own, and never an answer that a wider one was given. */
  get principal(): string {
    const { owner, tokenId, projects, verbs } = this.caller;
    return projects || verbs ? `${owner}:${tokenId}` : owner;
  }

  /** An id that follows from owner, route and key, at this plane alone, or that nobody ever had when there is no key. Planes may share an engine, where it is in names. */
  id(what: string): string {
    return deriveId('request', this.request.origin ?? '', this.principal, this.route, this.seed, what);
  }

  /** The same call, sent again with its key, is the same cause. */
  get cause(): Cause {
    return this.causeFor(this.caller.owner);
  }

  /** The cause of something that is to happen to what is `owner`'s. Of several asks in one call each is a cause of its own: `of` tells them apart. */
  causeFor(owner: string, of = ''): Cause {
    const id = this.id(`cause${of && ` ${of}`}`);
    const traceparent = childTraceparent(header(this.request, 'traceparent'));
    const { owner: member, tokenId } = this.caller;
    return { id, meta: { correlationId: this.request.id, causationId: id, actor: `token:${tokenId}`, owner, member, traceparent } };
  }

  /**
   * Hash of the body; the same key with another one is refused. It is stored, so the values of an environment or of a secret, and passwords, go into it under a key
   * that is not: the caller's token. Without it nobody can try values until the hash fits.
   */
  get fingerprint(): string {
    return fingerprintOf(this.request.body, header(this.request, 'authorization') ?? '');
  }
}

/** The caller's call, for a handler. */
export const ByCall: () => ParameterDecorator = createParamDecorator((_: unknown, context: ExecutionContext): Call => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  if (!request.caller) throw new Error('Only a route that asks for a token has a call.');
  return new Call(request.caller, request, routeOf(context.getHandler()));
});

export function mustAllow(caller: Caller, scope: Scope, detail: string): void {
  if (!allows(caller.scopes, scope)) throw new ProblemError('forbidden', detail);
}

export function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = header(request, 'idempotency-key');
  if (key === undefined) return undefined;
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return key;
  const field = { field: 'Idempotency-Key', message: 'A key has 1 to 200 printable characters without spaces.' };
  throw new ProblemError('invalid', `${field.field}: ${field.message}`, { errors: [field] });
}

/** An upload has no body here: its bytes are hashed as they are stored. */
function fingerprintOf(body: unknown, token: string): string {
  const isJson = body !== null && typeof body === 'object' && !('pipe' in body);
  const hash = isJson && ('env' in body || 'value' in body || 'users' in body) ? createHmac('sha256', token) : createHash('sha256');
  return hash.update(isJson ? JSON.stringify(sorted(body)) : '').digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, held]) => [key, sorted(held)]));
}
