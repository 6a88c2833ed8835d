import { randomUUID } from 'node:crypto';
import { finished } from 'node:stream/promises';
import helmet from '@fastify/helmet';
import multipart from '@fastify/multipart';
import rateLimit from '@fastify/rate-limit';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toProblem } from '#api/problem.js';
import type { Logger } from '#boot/logger.js';
import { serveApiDocs } from './api-docs.js';
import { bearerOf } from './auth.guard.js';
import { header } from './call.js';
import type { Metrics } from './metrics.js';
import { problemFor, rateLimited } from './problem.filter.js';
import type { TokenBook } from './tokens.queries.js';

const JSON_LIMIT_BYTES = 1 << 20;
/** A slow line may take so long for a whole upload. */
const REQUEST_TIMEOUT_MS = 30 * 60_000;
/** A domain may be typed with 1,000 characters of any alphabet, each of which takes up to nine in a path. */
const LONGEST_PARAMETER = 9_000;
const CLOSE_WITHIN_MS = 5_000;
/** Who is answered while still sending may send on for so long, since not everybody reads meanwhile. */
const SENDS_ON_MS = 30_000;

export function httpAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: JSON_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    frameworkErrors: refuse,
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => requestIdOf(request.headers['x-request-id']),
  });
}

/** Of an address that cannot be read no handler hears, nor its filter. */
function refuse(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(problemFor(error), request.id);
  void reply.status(problem.status).headers({ 'x-request-id': request.id, 'cache-control': 'no-store' }).type('application/problem+json').send(JSON.stringify(problem));
}

/** What every request passes before a handler: headers, limits, bodies. */
export async function dress(app: NestFastifyApplication, parts: { log: Logger; metrics: Metrics; tokens: TokenBook; requestsPerMinute: number }): Promise<void> {
  const fastify = app.getHttpAdapter().getInstance();
  logRequests(fastify, parts.log, parts.metrics);
  readPast(fastify);
  await fastify.register(helmet, {
    strictTransportSecurity: false,
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'self'"], styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'], frameAncestors: ["'none'"] } },
  });
  await fastify.register(rateLimit, {
    max: parts.requestsPerMinute,
    timeWindow: 60_000,
    // Only a token that was let in has a limit of its own: trying many wrong ones counts for the address.
    keyGenerator: (request) => parts.tokens.recentIdOf(bearerOf(request) ?? '') ?? request.ip,
    allowList: (request) => /^(\/api\/v1)?\/health\b/.test(request.url),
    errorResponseBuilder: (_request, { ttl }) => rateLimited(Math.ceil(ttl / 1000)) as Error & { statusCode: number },
  });
  await fastify.register(multipart, { throwFileSizeLimit: false, limits: { fields: 20, fieldSize: 4096 } });
  // Whatever is not JSON is an upload: it is read by who wants it, after the guard, and by nobody else.
  fastify.removeContentTypeParser('text/plain');
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  serveApiDocs(fastify);
}

/** Takes nothing new, lets answers that are under way be sent, and lets go of connections as they become idle. */
export async function close(app: NestFastifyApplication): Promise<void> {
  const server = app.getHttpServer();
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const all = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(all);
  }
}

function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID();
}

/** One line a request, without anything that it carried. */
function logRequests(fastify: FastifyInstance, log: Logger, metrics: Metrics): void {
  fastify.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
  });
  fastify.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    const level = reply.statusCode >= 500 ? 'warn' : 'debug';
    log[level](lineOf(request, reply.statusCode, reply.elapsedTime), 'Request');
  });
}

/** What is left of a refused upload is read and thrown away: before the answer where the connection ends with it, which would take the answer along, else after it, and not for ever. */
function readPast(fastify: FastifyInstance): void {
  const ended = (raw: FastifyRequest['raw']): Promise<void> => finished(raw.resume(), { signal: AbortSignal.timeout(SENDS_ON_MS) }).catch(() => undefined);
  fastify.addHook('onSend', async ({ raw }, reply) => {
    const isLast = !reply.raw.shouldKeepAlive || reply.getHeader('connection') === 'close';
    if (!raw.complete && isLast) await ended(raw);
  });
  fastify.addHook('onResponse', async ({ raw }) => {
    if (!raw.complete) void ended(raw).then(() => raw.complete || raw.destroy());
  });
}

function lineOf(request: FastifyRequest, status: number, elapsedMs: number): object {
  return {
    requestId: request.id, method: request.method, path: request.url.split('?', 1)[0], status, elapsedMs: Math.round(elapsedMs),
    owner: request.caller?.owner, userAgent: header(request, 'user-agent')?.slice(0, 100),
  };
}
