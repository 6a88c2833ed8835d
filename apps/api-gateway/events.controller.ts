import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseInput } from '#api/problem.js';
import { eventFilter, type EventFilter } from '#api/event.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { bearerOf } from './auth.guard.js';
import { ByCall, header, ownerFor, type Call } from './call.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';
import { TimelineQueries, type TimelineFilter } from './timeline.queries.js';
import { TimelineStream } from './timeline.stream.js';
import { TokenBook } from './tokens.queries.js';

@Controller()
export class EventsController {
  constructor(
    private readonly timeline: TimelineQueries,
    private readonly stream: TimelineStream,
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
    private readonly tokens: TokenBook,
  ) {}

  @Serves('siteEvents')
  async ofSite(@Input() { params, query }: InputOf<Routes['siteEvents']>, @ByCall() { caller }: Call, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object | undefined> {
    const { id } = await this.sites.find(caller.owner, params.id);
    const filter = await this.filterOf(caller.owner, { ...query, siteId: id });
    return this.answer(filter, query, request, reply, prefersStream(request));
  }

  @Serves('streamEvents')
  async all(@Input() { query }: InputOf<Routes['streamEvents']>, @ByCall() { caller }: Call, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object | undefined> {
    const filter = await this.filterOf(ownerFor(caller, query.all), query);
    const isPage = (header(request, 'accept') ?? '').includes('application/json') && !prefersStream(request);
    return this.answer(filter, query, request, reply, !isPage);
  }

  private async answer(filter: TimelineFilter, query: EventFilter, request: FastifyRequest, reply: FastifyReply, isStream: boolean): Promise<object | undefined> {
    const lastId = header(request, 'last-event-id');
    const after = lastId ? parseInput(eventFilter, { after: lastId }, 'header Last-Event-ID').after : query.after;
    const isPage = query.format === 'json' || (query.format === undefined && !isStream) || request.method === 'HEAD';
    if (isPage) return this.timeline.page(filter, { ...query, after: after ?? 0 });
    const token = bearerOf(request) ?? '';
    open(reply);
    await this.stream.send(reply, { filter, after, isStillAllowed: async () => (await this.tokens.callerOf(token)) !== undefined });
    return undefined;
  }

  /** Names become ids; a site or project that the owner does not have is not found. */
  private async filterOf(owner: string | undefined, { siteId, projectId, operationId, type }: EventFilter): Promise<TimelineFilter> {
    return {
      owner,
      operationId,
      siteId: siteId !== undefined && owner !== undefined ? (await this.sites.find(owner, siteId)).id : siteId,
      projectId: projectId !== undefined && owner !== undefined ? (await this.projects.find(owner, projectId)).id : projectId,
      types: type?.split(',').map((one) => one.trim()),
    };
  }
}

function prefersStream(request: FastifyRequest): boolean {
  return (header(request, 'accept') ?? '').includes('text/event-stream');
}

/** From here on the reply is written by hand: what Fastify had set so far goes with it. */
function open(reply: FastifyReply): void {
  void reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  reply.hijack();
  reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
}
