import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { VERSION } from './version.js';

const PATHS = ['/api/docs', '/api/docs/*', '/api/docs-json', '/api/docs-yaml'];
/** What the pages say of themselves; all else is this server's to say. */
const KEPT = ['content-type', 'cache-control', 'etag', 'last-modified'];

/** Nothing but the pages. */
@Module({})
class ApiDocsModule {}

/** Serves the OpenAPI document and pages to read it. What makes them is a fifth of all that a start would load, so it is loaded when somebody first looks. */
export function serveApiDocs(fastify: FastifyInstance): void {
  let pages: Promise<FastifyInstance> | undefined;
  const answer = async ({ url, headers }: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const page = await (await (pages ??= makePages())).inject({ method: 'GET', url, headers });
    if (page.statusCode === 404) return reply.callNotFound();
    for (const name of KEPT) if (page.headers[name] !== undefined) void reply.header(name, page.headers[name]);
    return reply.code(page.statusCode).send(page.rawPayload);
  };
  for (const path of PATHS) fastify.get(path, answer);
}

/** A server that listens nowhere. */
async function makePages(): Promise<FastifyInstance> {
  const [{ SwaggerModule }, { openApi }] = await Promise.all([import('@nestjs/swagger'), import('#api/openapi.js')]);
  const app = await NestFactory.create<NestFastifyApplication>(ApiDocsModule, new FastifyAdapter(), { logger: false, abortOnError: false });
  SwaggerModule.setup('api/docs', app, openApi(VERSION), { jsonDocumentUrl: 'api/docs-json', yamlDocumentUrl: 'api/docs-yaml', customSiteTitle: 'Hostplane API' });
  await app.init();
  return app.getHttpAdapter().getInstance();
}
