import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError, toProblem, type ProblemCode } from '#api/problem.js';
import type { Logger } from '#boot/logger.js';
import { ContentStoreFull } from '#content/content-store.js';
import { Refusal } from '#domain/refusal.js';

/** Turns whatever was thrown into a problem response (RFC 9457). The only place that sends a status of failure. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = problemFor(error);
    if (problem.code === 'internal') this.log.error({ err: error, requestId: request.id, method: request.method, path: request.url }, 'A request failed');
    if (reply.sent || reply.raw.destroyed) return;
    const body = toProblem(problem, request.id);
    void reply.status(body.status).headers(headersOf(problem, request)).type('application/problem+json').send(JSON.stringify(body));
  }
}

function headersOf(problem: ProblemError, request: FastifyRequest): Record<string, string> {
  const headers: Record<string, string> = { 'cache-control': 'no-store' };
  if (problem.code === 'unauthenticated') headers['www-authenticate'] = `Bearer realm="hostplane"${request.headers.authorization ? ', error="invalid_token"' : ''}`;
  if (problem.extras.retryAfterSeconds !== undefined) headers['retry-after'] = String(problem.extras.retryAfterSeconds);
  return headers;
}

/** Which problem an error is to the caller. What is ours is told without its internals. */
export function problemFor(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof Refusal) {
    return new ProblemError(error.code, error.message, error.field ? { errors: [{ field: error.field, message: error.message }] } : {});
  }
  if (error instanceof ContentStoreFull) return new ProblemError('storage-full', error.message);
  if (isAway(error)) return new ProblemError('unavailable', `${(error as Error).message} The same request, sent again with the same Idempotency-Key, is safe.`, { retryAfterSeconds: 2 });
  return ofFramework(error) ?? new ProblemError('internal', 'Something went wrong on our side. The request id finds it in the logs.');
}

/** Somebody that we need (the log, the bus, another app) does not answer right now. */
function isAway(error: unknown): boolean {
  const { retryable, code } = error as { retryable?: boolean; code?: string };
  return retryable === true || /^(57P0[123]|08\d\d\d|ECONNREFUSED|ECONNRESET|EPIPE)$/.test(String(code));
}

const ofStatus: Readonly<Record<number, readonly [ProblemCode, string]>> = {
  400: ['malformed', 'The request cannot be read'],
  404: ['not-found', 'There is nothing at this address'],
  406: ['unsupported-media', 'This kind of content is not taken'],
  413: ['too-large', 'The request is larger than is allowed'],
  414: ['malformed', 'The address is too long'],
  415: ['unsupported-media', 'This kind of content is not taken'],
  429: ['rate-limited', 'Too many requests'],
};

/** What Fastify, its plugins and Nest throw before a handler is reached. */
function ofFramework(error: unknown): ProblemError | undefined {
  const { statusCode, retryAfterSeconds } = error as { statusCode?: number; retryAfterSeconds?: number };
  const status = error instanceof HttpException ? error.getStatus() : statusCode;
  if (status === undefined || status < 400 || status > 499) return undefined;
  const [code, what] = ofStatus[status] ?? ['malformed', 'The request cannot be read'];
  return new ProblemError(code, `${what}${code === 'malformed' ? `: ${(error as Error).message}` : '.'}`, { retryAfterSeconds });
}

export const rateLimited = (retryAfterSeconds: number): Error =>
  new ProblemError('rate-limited', `Too many requests. Try again in ${retryAfterSeconds} s.`, { retryAfterSeconds });

