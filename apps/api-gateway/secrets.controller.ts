import { Controller } from '@nestjs/common';
import { ProblemError } from '#api/problem.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { Secret } from '#api/secret.js';
import type { Cause } from '#contracts/message.js';
import { adminPasswordKey } from '#domain/naming/naming.js';
import { isOperator } from './access.js';
import { Answer } from './answer.js';
import { ByCall, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { ProjectQueries } from './projects.queries.js';
import { SecretQueries } from './secrets.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';
import { Vault } from './vault.js';

const SHOWN_ONCE = { 'cache-control': 'no-store' };

@Controller()
export class SecretsController {
  constructor(
    private readonly projects: ProjectQueries,
    private readonly sites: SiteQueries,
    private readonly secrets: SecretQueries,
    private readonly vault: Vault,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('listSecrets')
  async list(@Input() { params, query }: InputOf<Routes['listSecrets']>, @ByCall() call: Call): Promise<object> {
    const { id } = await this.projects.find(call, params.id);
    return this.secrets.page(id, query);
  }

  /** What may be kept of the answer is all of it: a value is not in it. */
  @Serves('storeSecret')
  store(@Input() { params, body }: InputOf<Routes['storeSecret']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id, owner } = await this.projects.find(call, params.id);
      await this.vault.store(id, params.name, body, call.causeFor(owner));
      return new Answer(200, await this.secrets.find(id, params.name));
    });
  }

  /** Each time it is asked for it is recorded anew: no Idempotency-Key, and no answer that is kept. */
  @Serves('revealSecret')
  async reveal(@Input() { params }: InputOf<Routes['revealSecret']>, @ByCall() call: Call): Promise<Answer> {
    const { id, owner } = await this.projects.find(call, params.id);
    const { name } = await this.secrets.find(id, params.name);
    return new Answer(200, { name, ...(await this.vault.reveal(id, name, call.causeFor(owner))) }, SHOWN_ONCE);
  }

  @Serves('rotateSecret')
  rotate(@Input() { params }: InputOf<Routes['rotateSecret']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params, async (id, { name }, cause) => {
      await this.vault.change('RotateSecret', id, name, cause);
      return this.secrets.find(id, name);
    });
  }

  @Serves('revokeSecret')
  revoke(@Input() { params }: InputOf<Routes['revokeSecret']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params, async (id, secret, cause) => {
      await this.vault.change('RevokeSecret', id, secret.name, cause);
      return secret;
    });
  }

  @Serves('revealSitePassword')
  async revealPassword(@Input() { params }: InputOf<Routes['revealSitePassword']>, @ByCall() call: Call): Promise<Answer> {
    const site = await this.sites.find(call, params.id);
    if (!site.wordpress) throw new ProblemError('conflict', `The site "${site.name}" is of the kind ${site.kind}: only a site that is installed with people of its own, such as wordpress, has a password.`);
    const { name } = await this.secrets.find(site.projectId, adminPasswordKey(await this.sites.dataOf(site.id))).catch(() => {
      throw new ProblemError('conflict', `The site "${site.name}" is ${site.status} and has no password yet: it is made when the site is provisioned.`);
    });
    const { value: password } = await this.vault.reveal(site.projectId, name, call.causeFor(site.owner));
    return new Answer(200, { siteId: site.id, user: site.wordpress.adminUser, password, url: site.wordpress.adminUrl }, SHOWN_ONCE);
  }

  @Serves('rotateMasterKey')
  rotateMasterKey(@ByCall() call: Call): Promise<object> {
    if (!isOperator(call.caller)) throw new ProblemError('forbidden', 'Only an admin token that is limited to nothing may rotate the master key.');
    return this.vault.rotateMasterKey(call.causeFor('system'));
  }

  private change(call: Call, { id, name }: { id: string; name: string }, work: (projectId: string, secret: Secret, cause: Cause) => Promise<Secret>): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const project = await this.projects.find(call, id);
      return new Answer(200, await work(project.id, await this.secrets.find(project.id, name), call.causeFor(project.owner)));
    });
  }
}
