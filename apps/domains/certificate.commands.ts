import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { RenewCertificate, RevokeCertificate, UploadCertificate, WithdrawCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import type { Cause } from '#contracts/message.js';
import { certificateDecider, type CertificateCommand } from '#domain/certificate/certificate.js';
import { UPLOADED } from '#domain/certificate/policy.js';
import { domainDecider, type Claim } from '#domain/domain-name/domain-name.js';
import { Refusal } from '#domain/refusal.js';
import { routeDecider } from '#domain/route/route.js';
import { authorized } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { describeChain } from '#providers/certificate-chain.js';
import { Authorities } from './authorities.js';
import { Issuance } from './issuance.js';

/** Accepts or refuses what people ask of the certificates of their domains. */
@Controller()
export class CertificateCommands {
  constructor(
    private readonly store: EventStore,
    private readonly authorities: Authorities,
    private readonly issuance: Issuance,
  ) {}

  @OnAsk('UploadCertificate')
  async upload({ domain, siteId, chain, sealedKey }: UploadCertificate, cause: Cause): Promise<Accepted> {
    const claim = await this.claim(domain, siteId, true);
    const { claimId, projectId } = claim;
    const { state: route } = await loadState(this.store, routeDecider, siteId);
    const of = { certificateId: claimId, siteId, projectId, domain, names: [domain], hostId: route.hostId };
    return this.decide(claim, { type: 'UploadCertificate', of, certificate: { ...describeChain(chain), keySecret: '', sealedKey }, now: now(), policy: this.issuance.policy }, cause);
  }

  @OnAsk('RenewCertificate')
  async renew({ domain, siteId, newKey }: RenewCertificate, cause: Cause): Promise<Accepted> {
    const claim = await this.claim(domain, siteId);
    return this.decide(claim, { type: 'RenewCertificate', reason: 'It was asked for.', newKey, authority: this.authorities.automatic?.name ?? '', now: now() }, cause);
  }

  @OnAsk('RevokeCertificate')
  async revoke({ domain, siteId, reason }: RevokeCertificate, cause: Cause): Promise<Accepted> {
    const claim = await this.claim(domain, siteId);
    return this.decide(claim, { type: 'RevokeCertificate', reason, now: now() }, cause);
  }

  @OnAsk('WithdrawCertificate')
  async withdraw({ domain, siteId }: WithdrawCertificate, cause: Cause): Promise<Accepted> {
    const claim = await this.claim(domain, siteId);
    const { state } = await loadState(this.store, certificateDecider, claim.claimId);
    if (state.status === 'none') throw new Refusal('not-found', 'The domain has no certificate.');
    if (state.authority !== UPLOADED) throw new Refusal('conflict', 'The certificate was not uploaded: it can be revoked, and goes with its domain.');
    return this.decide(claim, { type: 'RemoveCertificate', reason: 'It was asked for.', now: now(), policy: this.issuance.policy }, cause);
  }

  /** The site's claim on the name; a certificate is only for what is served. */
  private async claim(domain: string, siteId: string, mustBeActive = false): Promise<Claim> {
    const { state } = await loadState(this.store, domainDecider, domain);
    if (state.status === 'free' || state.claim.siteId !== siteId) throw new Refusal('not-found', 'The site has no such domain.');
    if (mustBeActive && state.status !== 'active') throw new Refusal('conflict', `${domain} is ${state.status}: a certificate is taken once it is active.`);
    return state.claim;
  }

  /** As the routes of the API say it: to move a site's names, and what proves them, is to run the site. */
  private async decide({ name, claimId, projectId, ownerId: founderId }: Claim, command: CertificateCommand, cause: Cause): Promise<Accepted> {
    const { position } = await handle(this.store, cause, [on(certificateDecider, claimId, command)], { then: () => [authorized(cause, { projectId, founderId }, 'sites:run')] });
    return { resourceId: name, operationId: '', position };
  }
}

const now = (): string => new Date().toISOString();
