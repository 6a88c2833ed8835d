import { Controller } from '@nestjs/common';
import { API_BASE, type InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { isOperator } from './access.js';
import { Answer } from './answer.js';
import { ByCall, type Call } from './call.js';
import { Domains } from './deciding-apps.js';
import { DomainQueries } from './domains.queries.js';
import { Idempotency } from './idempotency.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

@Controller()
export class DomainsController {
  constructor(
    private readonly sites: SiteQueries,
    private readonly queries: DomainQueries,
    private readonly domains: Domains,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('addDomain')
  add(@Input() { params, body }: InputOf<Routes['addDomain']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id: siteId, projectId, owner } = await this.sites.find(call, params.id);
      const wish = { name: body.name, siteId, projectId, ownerId: owner, claimId: call.id('claim'), redirectTo: body.redirectTo ?? '', redirectStatus: body.redirectStatus ?? 0, byOperator: isOperator(call.caller) };
      const { resourceId: name } = await this.domains.ask('AddDomain', wish, call.causeFor(owner));
      return this.accepted(siteId, name);
    });
  }

  @Serves('listDomains')
  async list(@Input() { params, query }: InputOf<Routes['listDomains']>, @ByCall() call: Call): Promise<object> {
    const { id } = await this.sites.find(call, params.id);
    return this.queries.page(id, query);
  }

  @Serves('showDomain')
  async show(@Input() { params }: InputOf<Routes['showDomain']>, @ByCall() call: Call): Promise<object> {
    return (await this.queries.find(call, params.name)).domain;
  }

  @Serves('removeDomain')
  remove(@Input() { params }: InputOf<Routes['removeDomain']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'RemoveDomain');
  }

  @Serves('checkDomain')
  check(@Input() { params }: InputOf<Routes['checkDomain']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'CheckDomain');
  }

  @Serves('choosePrimaryDomain')
  choosePrimary(@Input() { params }: InputOf<Routes['choosePrimaryDomain']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'ChoosePrimaryDomain');
  }

  private change(call: Call, typed: string, type: 'RemoveDomain' | 'CheckDomain' | 'ChoosePrimaryDomain'): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { domain: { name, siteId }, owner } = await this.queries.find(call, typed);
      await this.domains.ask(type, { name, siteId }, call.causeFor(owner));
      return this.accepted(siteId, name);
    });
  }

  private async accepted(siteId: string, name: string): Promise<Answer> {
    return new Answer(202, await this.queries.latest(siteId, name), { location: `${API_BASE}/domains/${name}` });
  }
}
