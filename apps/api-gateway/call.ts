import { createHash, randomUUID } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '#api/problem.js';
import { allows, type Scope, type Session } from '#api/token.js';
import { childTraceparent } from '#boot/telemetry.js';
import { deriveId } from '#contracts/ids.js';
import type { Cause } from '#contracts/message.js';
import { routeOf } from './serves.js';

/** Who asks; put on the request by the guard. */
export type Caller = Session;

declare module 'fastify' {
  interface FastifyRequest {
    caller?: Caller;
  }
}

/** One request as the gateway works on it: who asks, and the ids of everything that follows from it. */
export interface Call {
  readonly caller: Caller;
  readonly requestId: string;
  /** Name of the route and the path that it was called with. */
  readonly route: string;
  /** Idempotency-Key, if one was given. */
  readonly key: string | undefined;
  /** Hash of the body; the same key with another one is refused. */
  readonly fingerprint: string;
  /** The same call, sent again with its key, is the same cause. */
  readonly cause: Cause;
  /** An id that follows from owner, route and key, or that nobody ever had when there is no key. */
  id(what: string): string;
}

export function callOf(request: FastifyRequest, routeName: string): Call {
  const { caller } = request;
  if (!caller) throw new ProblemError('unauthenticated', 'A token is needed: send it as Authorization: Bearer hp_….');
  const key = keyOf(request);
  const route = `${routeName} ${request.url.split('?', 1)[0]}`;
  const seed = key ?? randomUUID();
  const id = (what: string): string => deriveId('request', caller.owner, route, seed, what);
  const traceparent = childTraceparent(header(request, 'traceparent'));
  const meta = { correlationId: request.id, causationId: id('cause'), actor: `token:${caller.tokenId}`, owner: caller.owner, traceparent };
  return { caller, requestId: request.id, route, key, fingerprint: fingerprintOf(request.body), cause: { id: id('cause'), meta }, id };
}

/** The caller's call, for a handler. */
export const ByCall: () => ParameterDecorator = createParamDecorator((_: unknown, context: ExecutionContext): Call => {
  return callOf(context.switchToHttp().getRequest<FastifyRequest>(), routeOf(context.getHandler()).name);
});

/** Whose rows a list shows: the caller's own, or everybody's (undefined) for an admin who asks for that. */
export function ownerFor(caller: Caller, all: boolean | undefined): string | undefined {
  if (!all) return caller.owner;
  mustAllow(caller, 'admin', "Only an admin token may see every owner's: leave out `all`.");
  return undefined;
}

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
function fingerprintOf(body: unknown): string {
  const isJson = body !== null && typeof body === 'object' && !('pipe' in body);
  return createHash('sha256').update(isJson ? JSON.stringify(sorted(body)) : '').digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, held]) => [key, sorted(held)]));
}
