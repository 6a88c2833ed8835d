import { Controller } from '@nestjs/common';
import { API_BASE, type InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { Messages } from '#contracts/registry.js';
import { checkUploaded } from '#providers/certificate-chain.js';
import { asksForAll } from './access.js';
import { Answer } from './answer.js';
import { ByCall, type Call } from './call.js';
import { CertificateQueries } from './certificates.queries.js';
import { Domains } from './deciding-apps.js';
import { DomainQueries } from './domains.queries.js';
import { Idempotency } from './idempotency.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';
import { Vault } from './vault.js';

/** Name of the box in which an uploaded key travels. */
const KEY_BOX = 'certificate-key';

@Controller()
export class CertificatesController {
  constructor(
    private readonly queries: CertificateQueries,
    private readonly domainQueries: DomainQueries,
    private readonly sites: SiteQueries,
    private readonly domains: Domains,
    private readonly vault: Vault,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('listCertificates')
  async list(@Input() { query }: InputOf<Routes['listCertificates']>, @ByCall() call: Call): Promise<object> {
    const siteId = query.siteId && (await this.sites.find(call, query.siteId)).id;
    return this.queries.page(asksForAll(call, query.all) ? undefined : call, { ...query, siteId });
  }

  @Serves('showCertificate')
  async show(@Input() { params }: InputOf<Routes['showCertificate']>, @ByCall() call: Call): Promise<object> {
    const { claimId, domain } = await this.domainQueries.find(call, params.name);
    return this.queries.ofClaim(claimId, domain.name);
  }

  /** The key is looked at here, for it can be nowhere else: what is sent on and stored is sealed to the vault. */
  @Serves('uploadCertificate')
  upload(@Input() { params, body }: InputOf<Routes['uploadCertificate']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'UploadCertificate', async ({ name: domain, siteId }, projectId, cause) => {
      const { chain } = checkUploaded(body.chain, body.key, domain, new Date());
      const [sealedKey] = await this.vault.seal(projectId, { [KEY_BOX]: body.key }, cause);
      return { domain, siteId, chain, sealedKey };
    });
  }

  @Serves('withdrawCertificate')
  withdraw(@Input() { params }: InputOf<Routes['withdrawCertificate']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'WithdrawCertificate', ({ name: domain, siteId }) => ({ domain, siteId }));
  }

  @Serves('renewCertificate')
  renew(@Input() { params, body }: InputOf<Routes['renewCertificate']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'RenewCertificate', ({ name: domain, siteId }) => ({ domain, siteId, newKey: body?.newKey ?? false }));
  }

  @Serves('revokeCertificate')
  revoke(@Input() { params, body }: InputOf<Routes['revokeCertificate']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.name, 'RevokeCertificate', ({ name: domain, siteId }) => ({ domain, siteId, reason: body?.reason ?? 'unspecified' }));
  }

  private change<K extends 'UploadCertificate' | 'WithdrawCertificate' | 'RenewCertificate' | 'RevokeCertificate'>(
    call: Call, typed: string, type: K, wish: (domain: { name: string; siteId: string }, projectId: string, cause: ReturnType<Call['causeFor']>) => Messages[K] | Promise<Messages[K]>,
  ): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { domain, owner, projectId, claimId } = await this.domainQueries.find(call, typed);
      const cause = call.causeFor(owner);
      await this.domains.ask(type, await wish(domain, projectId, cause), cause);
      return new Answer(202, await this.queries.ofClaim(claimId, domain.name), { location: `${API_BASE}/domains/${domain.name}/certificate` });
    });
  }
}
