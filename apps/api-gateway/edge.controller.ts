import { Controller, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '#api/problem.js';
import { API_BASE, type InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { Messages } from '#contracts/registry.js';
import { ApiGatewayConfig } from './api-gateway.config.js';
import { Answer } from './answer.js';
import { ByCall, header, type Call } from './call.js';
import { CertificateQueries } from './certificates.queries.js';
import { Domains } from './deciding-apps.js';
import { EdgeHistory } from './edge-history.js';
import { EdgeRenderers } from './edge-renderers.js';
import { Idempotency } from './idempotency.js';
import { Input, Serves } from './serves.js';

/** What the edges are configured with, for who runs the plane. */
@Controller()
export class EdgeController {
  constructor(
    private readonly config: ApiGatewayConfig,
    private readonly history: EdgeHistory,
    private readonly renderers: EdgeRenderers,
    private readonly certificates: CertificateQueries,
    private readonly domains: Domains,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('showEdge')
  async show(@Input() { query }: InputOf<Routes['showEdge']>, @ByCall() call: Call): Promise<object> {
    mustSeeAll(call);
    const hostId = query.host ?? this.config.HOSTPLANE_HOST_ID;
    const position = query.at === undefined ? undefined : await this.history.positionOf(query.at);
    const moment = await this.history.at(hostId, position ?? Number.MAX_SAFE_INTEGER);
    if (!moment) throw new ProblemError('not-found', position === undefined ? `There is no edge of a host "${hostId}".` : `The log up to position ${position} tells of no edge of a host "${hostId}".`);
    const own = moment.edge === 'embedded' ? 'routes' : 'nginx';
    const format = query.format ?? own;
    const { text, hash } = this.renderers.render(format, moment);
    const { edge, table, servedHash, servedSince, confirmedAt } = moment;
    return { hostId, edge, format, revision: table.revision, hash, servedHash, servedSince, confirmedAt, isServed: hash === servedHash, text };
  }

  @Serves('showEdgeCertificate')
  certificate(@ByCall() call: Call): Promise<object> {
    mustSeeAll(call);
    return this.certificates.ofPlane(this.config.HOSTPLANE_BASE_DOMAIN);
  }

  @Serves('renewEdgeCertificate')
  renew(@Input() { body }: InputOf<Routes['renewEdgeCertificate']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, 'RenewEdgeCertificate', { newKey: body?.newKey ?? false });
  }

  @Serves('revokeEdgeCertificate')
  revoke(@Input() { body }: InputOf<Routes['revokeEdgeCertificate']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, 'RevokeEdgeCertificate', { reason: body?.reason ?? 'unspecified' });
  }

  private change<K extends 'RenewEdgeCertificate' | 'RevokeEdgeCertificate'>(call: Call, type: K, wish: Messages[K]): Promise<Answer> {
    mustSeeAll(call);
    return this.idempotency.once(call, async () => {
      await this.domains.ask(type, wish, call.causeFor('system'));
      return new Answer(202, await this.certificates.ofPlane(this.config.HOSTPLANE_BASE_DOMAIN), { location: `${API_BASE}/edge/certificate` });
    });
  }

  @Serves('traefikConfig')
  async traefik(@Input() { query }: InputOf<Routes['traefikConfig']>, @ByCall() call: Call, @Req() request: FastifyRequest): Promise<Answer> {
    mustSeeAll(call);
    const hostId = query.host ?? this.config.HOSTPLANE_HOST_ID;
    const now = await this.history.now(hostId);
    if (!now) throw new ProblemError('not-found', `There is no edge of a host "${hostId}".`);
    const { text, hash } = this.renderers.traefik(now, query);
    const headers = { etag: `"${hash}"`, 'cache-control': 'no-cache' };
    const known = (header(request, 'if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known.includes(headers.etag)) return new Answer(304, undefined, headers);
    return new Answer(200, text, { ...headers, 'content-type': 'application/json; charset=utf-8' });
  }
}

/** A token may be limited to this right, but not to projects: an edge has everybody's sites. */
function mustSeeAll({ caller }: Call): void {
  if (caller.projects) throw new ProblemError('forbidden', "An edge serves everybody's sites: a token that is limited to projects cannot see it.");
}
