import { Controller } from '@nestjs/common';
import { hash } from 'bcryptjs';
import type { EdgeRulesChange } from '#api/edge-rules.js';
import { API_BASE, type InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { EdgeRules, EdgeUser } from '#contracts/gen/hostplane/v1/edge_rules.js';
import { Answer } from './answer.js';
import { ByCall, type Call } from './call.js';
import { Domains } from './deciding-apps.js';
import { EdgeRulesQueries } from './edge-rules.queries.js';
import { Idempotency } from './idempotency.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

/**
 * Each step doubles the time that a check takes, on every request of a guarded site, in a worker that serves other sites too. `htpasswd -B` chooses the same.
 */
const BCRYPT_COST = 5;

/** How the edge treats a site's visitors. A password goes no further than this: what is recorded is its hash. */
@Controller()
export class EdgeRulesController {
  constructor(
    private readonly sites: SiteQueries,
    private readonly queries: EdgeRulesQueries,
    private readonly domains: Domains,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('showEdgeRules')
  async show(@Input() { params }: InputOf<Routes['showEdgeRules']>, @ByCall() call: Call): Promise<object> {
    const { id } = await this.sites.find(call, params.id);
    return this.queries.of(id);
  }

  @Serves('changeEdgeRules')
  change(@Input() { params, body }: InputOf<Routes['changeEdgeRules']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id: siteId, owner } = await this.sites.find(call, params.id);
      const { users, errorPages } = body;
      const change = {
        siteId,
        changeId: call.id('change'),
        rules: { ...rulesOf(body), users: await usersOf(users ?? {}) },
        fields: Object.keys(body).filter((field) => !['users', 'errorPages'].includes(field) || body[field as keyof EdgeRulesChange] === null),
        removedUsers: Object.entries(users ?? {}).flatMap(([name, user]) => (user === null ? [name] : [])),
        removedPages: Object.entries(errorPages ?? {}).flatMap(([status, page]) => (page === null ? [Number(status)] : [])),
      };
      await this.domains.ask('ChangeEdgeRules', change, call.causeFor(owner));
      return new Answer(202, await this.queries.of(siteId), { location: `${API_BASE}/sites/${siteId}/edge` });
    });
  }
}

function rulesOf({ httpsOnly, hsts, maxBodyBytes, targetTimeoutSeconds, allow, deny, maintenance, errorPages }: EdgeRulesChange): Omit<EdgeRules, 'users'> {
  return {
    httpsOnly: httpsOnly ?? false,
    hsts: hsts ? { maxAgeSeconds: hsts.maxAgeSeconds, includeSubdomains: hsts.includeSubDomains, preload: hsts.preload } : undefined,
    maxBodyBytes: maxBodyBytes ?? 0,
    targetTimeoutSeconds: targetTimeoutSeconds ?? 0,
    allow: allow ?? [],
    deny: deny ?? [],
    maintenance: maintenance ?? undefined,
    errorPages: Object.entries(errorPages ?? {}).flatMap(([status, page]) => (page ? [{ status: Number(status), html: '', file: '', ...page }] : [])),
  };
}

async function usersOf(users: NonNullable<EdgeRulesChange['users']>): Promise<EdgeUser[]> {
  const given = Object.entries(users).flatMap(([name, user]) => (user ? [{ name, user }] : []));
  return Promise.all(given.map(async ({ name, user }) => ({ name, passwordHash: 'passwordHash' in user ? user.passwordHash : await hash(user.password, BCRYPT_COST) })));
}
