import { Controller, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isEnded, type Operation } from '#api/operation.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { Site } from '#api/site.js';
import type { ContentRef } from '#contracts/gen/hostplane/v1/site.js';
import { Refusal } from '#domain/refusal.js';
import { Answer, accepted } from './answer.js';
import { ByCall, header, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './deciding-apps.js';
import { OperationQueries } from './operations.queries.js';
import { ReadModel } from './read-model.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';
import { Uploads } from './upload.js';

const LIVE_WITHIN_MS = 30_000;

@Controller()
export class ContentController {
  constructor(
    private readonly sites: SiteQueries,
    private readonly operations: OperationQueries,
    private readonly uploads: Uploads,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
    private readonly readModel: ReadModel,
  ) {}

  @Serves('publishContent')
  async publish(@Input() { params }: InputOf<Routes['publishContent']>, @ByCall() call: Call, @Req() request: FastifyRequest): Promise<Answer> {
    const site = await this.sites.find(call, params.id);
    mustTakeContent(site);
    const content = await this.uploads.receive(request);
    const isAsync = /(^|,)\s*respond-async\s*($|[,;])/i.test(header(request, 'prefer') ?? '');
    return this.idempotency.once(call, () => this.release(site, content, call, isAsync), { fingerprint: content.sha256 });
  }

  private async release({ id: siteId, owner }: Site, content: ContentRef, call: Call, isAsync: boolean): Promise<Answer> {
    const { operationId } = await this.lifecycle.ask('PublishRelease', { siteId, operationId: call.id('operation'), releaseId: call.id('release'), content }, call.causeFor(owner));
    const operation = isAsync ? await this.operations.find(call, operationId) : await this.ended(call, operationId);
    if (operation.status === 'succeeded' && !isAsync) return new Answer<unknown>(200, await this.sites.find(call, siteId));
    return accepted<unknown>(operation, operationId);
  }

  /** The operation once it has ended, or as it is after the longest that a caller is kept waiting. */
  private async ended(call: Call, operationId: string): Promise<Operation> {
    const deadline = AbortSignal.any([AbortSignal.timeout(LIVE_WITHIN_MS), this.readModel.stopping]);
    for (;;) {
      const { position } = this.readModel;
      const operation = await this.operations.find(call, operationId);
      if (isEnded(operation.status) || deadline.aborted) return operation;
      await this.readModel.passed(position, deadline);
    }
  }
}

/** Said before the upload is read; lifecycle decides all the same. */
function mustTakeContent(site: Site): void {
  if (site.kind !== 'static') throw new Refusal('conflict', `The site "${site.name}" is of the kind ${site.kind} and takes no content: only static sites do.`);
  if (site.status === 'DESTROYING' || site.status === 'DESTROYED') throw new Refusal('conflict', `The site "${site.name}" is ${site.status} and takes no content any more.`);
}
