import type { SigningRequest } from '#contracts/gen/hostplane/v1/ask.js';
import type { CertificateProof, IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import type { Cause } from '#contracts/message.js';
import { reached } from '#contracts/probe.js';
import { keySecretOf, type Certificate, type CertificateCommand } from '#domain/certificate/certificate.js';
import type { CertificatePolicy } from '#domain/certificate/policy.js';
import { Refusal } from '#domain/refusal.js';
import type { BusClient } from '#messaging/bus-client.js';
import { RateLimited, type RevocationReason } from '#providers/certificate-authority.js';
import { covers, describeChain, readChain } from '#providers/certificate-chain.js';
import type { DnsLookup } from '#providers/dns-lookup.js';
import { ProviderError } from '#providers/provider-error.js';
import type { Authorities } from './authorities.js';

type Failure = Extract<CertificateCommand, { type: 'RecordFailure' }>;

/** Takes a certificate through its steps with an authority. Each answers what is to be recorded, also that it failed; what is thrown is to be tried again soon. */
export class Issuance {
  constructor(
    private readonly authorities: Authorities,
    private readonly bus: Pick<BusClient, 'ask'>,
    private readonly lookup: DnsLookup,
    readonly policy: CertificatePolicy,
  ) {}

  order(certificate: Certificate): Promise<CertificateCommand> {
    const order = certificate.orders + 1;
    return this.step(order, 'order', false, async () => {
      const authority = this.authorities.automatic;
      if (!authority) throw new ProviderError('This plane asks no certificate authority any more: set HOSTPLANE_ACME_DIRECTORY, or upload a certificate.', false);
      const { of: { names }, issued } = certificate;
      const proof = authority.features.proofs.length > 0 ? this.authorities.proofFor(names) : 'http-01';
      const placed = await authority.order(names, proof, issued && certificate.authority === authority.name ? { replaces: issued.chain } : {});
      reached('certificate:ordered');
      return { type: 'RecordOrder', order, authority: authority.name, ...placed, now: now(), policy: this.policy };
    });
  }

  /** Proofs in the DNS: the record is made, and can be seen. */
  prove({ order }: Certificate): Promise<CertificateCommand> {
    const { number, proofs } = order!;
    return this.step(number, 'proof', true, async () => {
      const dns = this.authorities.dns;
      if (!dns) throw new ProviderError('The names can only be proven by DNS records, and no provider of the DNS is configured.', false);
      for (const { token: name, text: value } of proofs) await dns.ensure({ type: 'TXT', name, value, ttlSeconds: 60 });
      reached('certificate:dns-proof');
      const missing = await this.unseen(proofs);
      if (missing) throw new ProviderError(`The TXT record ${missing} cannot be seen in the DNS yet.`, true);
      return { type: 'RecordProven', order: number, now: now() };
    });
  }

  issue(certificate: Certificate, cause: Cause): Promise<CertificateCommand> {
    const { number, reference, proofs } = certificate.order!;
    return this.step(number, 'issuance', true, async () => {
      const { projectId, siteId, names } = certificate.of;
      const keySecret = keySecretOf(certificate);
      const { csr } = await this.bus.ask<'MakeSigningRequest', SigningRequest>('secrets', 'MakeSigningRequest', { projectId, siteId, keySecret, names: [...names] }, cause);
      reached('certificate:signing-request');
      const chain = await this.authorities.get(certificate.authority).issue({ reference, proofs }, csr);
      reached('certificate:issued');
      const issued: IssuedCertificate = { ...describeChain(chain), keySecret, sealedKey: undefined };
      const [leaf] = readChain(chain);
      const uncovered = names.find((name) => !covers(leaf, name.replace('*', 'any')));
      if (uncovered) throw new ProviderError(`The authority issued a certificate for ${issued.names.join(', ')}, which is not for ${uncovered}.`, false);
      await this.cleanUp(proofs);
      return { type: 'RecordIssued', order: number, certificate: issued, now: now(), policy: this.policy };
    });
  }

  revoke({ issued, authority, orders }: Certificate, reason: RevocationReason): Promise<CertificateCommand> {
    return this.step(orders, 'revocation', false, async () => {
      await this.authorities.get(authority).revoke(issued!.chain, reason);
      reached('certificate:revoked');
      return { type: 'RecordRevoked', serial: issued!.serial, now: now(), policy: this.policy };
    });
  }

  /** When its authority would like it to be renewed; undefined: it does not say. One instant of the window, always the same for a certificate. */
  async renewal({ issued, authority }: Certificate): Promise<{ renewAt: string; reason: string; askAgainAt: string } | undefined> {
    if (!issued || this.authorities.automatic?.name !== authority) return undefined;
    const window = await this.authorities.automatic.renewal(issued.chain);
    if (!window) return undefined;
    const [start, end] = [Date.parse(window.start), Date.parse(window.end)];
    const share = parseInt(issued.fingerprint.slice(0, 8), 16) / 2 ** 32;
    return { renewAt: new Date(start + Math.floor((end - start) * share)).toISOString(), reason: window.explanation || 'The authority suggests this time.', askAgainAt: window.askAgainAt };
  }

  /** What a step could not do is recorded with it. Somebody on the bus who is away is no failure of the certificate. */
  private async step(order: number, step: string, mayGoOn: boolean, work: () => Promise<CertificateCommand>): Promise<CertificateCommand | Failure> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ProviderError || error instanceof Refusal)) throw error;
      const retryable = error instanceof ProviderError && error.retryable;
      return { type: 'RecordFailure', order, step, error: error.message, notBefore: error instanceof RateLimited ? error.notBefore : '', keepsOrder: mayGoOn && retryable, now: now(), policy: this.policy };
    }
  }

  /** The first record that more than half of the resolvers do not show. */
  private async unseen(proofs: readonly CertificateProof[]): Promise<string | undefined> {
    const found = await this.lookup.ask([...new Set(proofs.map(({ token }) => token))].map((name) => ({ type: 'TXT', name })));
    const bad = proofs.find(({ token, text }) => {
      const about = found.filter(({ name }) => name === token);
      return about.filter(({ values }) => values.includes(text)).length * 2 <= about.length;
    });
    return bad?.token;
  }

  /** Records that proved something are taken away; one that stays does no harm. */
  private async cleanUp(proofs: readonly CertificateProof[]): Promise<void> {
    for (const { type, token: name, text: value } of proofs) if (type === 'dns-01') await this.authorities.dns?.remove({ type: 'TXT', name, value }).catch(() => undefined);
  }
}

const now = (): string => new Date().toISOString();
