import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseInput } from '#api/problem.js';
import { eventFilter, type EventFilter } from '#api/event.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { bearerOf } from './auth.guard.js';
import { asksForAll, isOperator } from './access.js';
import { ByCall, header, type Call } from './call.js';
import { MemberQueries } from './members.queries.js';
import { OperationQueries } from './operations.queries.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { Sight } from './sight.js';
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
    private readonly operations: OperationQueries,
    private readonly members: MemberQueries,
    private readonly tokens: TokenBook,
  ) {}

  @Serves('siteEvents')
  async ofSite(@Input() { params, query }: InputOf<Routes['siteEvents']>, @ByCall() call: Call, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object | undefined> {
    const filter = await this.filterOf(call, { ...query, siteId: params.id });
    return this.answer(call, { filter, query, request, reply, isStream: prefersStream(request) });
  }

  @Serves('streamEvents')
  async all(@Input() { query }: InputOf<Routes['streamEvents']>, @ByCall() call: Call, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object | undefined> {
    const filter = await this.filterOf(call, query);
    const isPage = (header(request, 'accept') ?? '').includes('application/json') && !prefersStream(request);
    return this.answer(call, { filter, query, request, reply, isStream: !isPage });
  }

  private async answer(call: Call, { filter, query, request, reply, isStream }: Answering): Promise<object | undefined> {
    const lastId = header(request, 'last-event-id');
    const after = lastId ? parseInput(eventFilter, { after: lastId }, 'header Last-Event-ID').after : query.after;
    const isPage = query.format === 'json' || (query.format === undefined && !isStream) || request.method === 'HEAD';
    if (isPage) return this.timeline.page(filter, { ...query, after: after ?? 0 });
    const token = bearerOf(request) ?? '';
    const sight = async () => (filter.asker ? new Sight(call, await this.members.projectsOf(call)) : undefined);
    open(reply);
    await this.stream.send(reply, { filter, sight, after, isStillAllowed: async () => (await this.tokens.callerOf(token)) !== undefined });
    return undefined;
  }

  /** Names become ids; what the caller may not see is not found. An operator who names something sees it without being a member. */
  private async filterOf(call: Call, { siteId, projectId, operationId, type, all }: EventFilter): Promise<TimelineFilter> {
    const isNamed = siteId !== undefined || projectId !== undefined || operationId !== undefined;
    return {
      asker: asksForAll(call, all) || (isNamed && isOperator(call.caller)) ? undefined : call,
      operationId: operationId === undefined ? undefined : (await this.operations.find(call, operationId)).id,
      siteId: siteId === undefined ? undefined : (await this.sites.find(call, siteId)).id,
      projectId: projectId === undefined ? undefined : (await this.projects.find(call, projectId)).id,
      types: type?.split(',').map((one) => one.trim()),
    };
  }
}

interface Answering {
  readonly filter: TimelineFilter;
  readonly query: EventFilter;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly isStream: boolean;
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
