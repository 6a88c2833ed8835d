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
import { ProviderError } from '#providers/provider-error.js';
import type { Authorities, Choice } from './authorities.js';
import type { ProofRecords } from './proof-records.js';

type Failure = Extract<CertificateCommand, { type: 'RecordFailure' }>;

/** An authority that gave no advice on renewals, or could not, is asked again after so long, or once it allows it; a day is the longest that RFC 9773 (4.3.1) lets one wait. */
const [ADVICE_AGAIN_MS, LONGEST_ADVICE_AGAIN_MS] = [3_600_000, 86_400_000];

/** `suggested`: nothing, where the authority says nothing, or `problem` tells why it could not be asked. */
export interface RenewalAdvice {
  readonly suggested?: { readonly renewAt: string; readonly reason: string };
  readonly problem?: string;
  readonly askAgainAt: string;
}

/** Takes a certificate through its steps with an authority. Each answers what is to be recorded, also that it failed; what is thrown is to be tried again soon. */
export class Issuance {
  constructor(
    private readonly authorities: Authorities,
    private readonly bus: Pick<BusClient, 'ask'>,
    private readonly records: ProofRecords,
    readonly policy: CertificatePolicy,
  ) {}

  /** `choose` says who is asked and how the names are proven, or why nobody can be. */
  order(certificate: Certificate, choose: () => Choice | Promise<Choice>): Promise<CertificateCommand> {
    const order = certificate.orders + 1;
    return this.step(order, 'order', false, async () => {
      const { authority, proof } = await choose();
      const { of: { names }, issued } = certificate;
      reached('certificate:order');
      const placed = await authority.order(names, proof === 'none' ? 'http-01' : proof, issued && certificate.issuedBy === authority.name ? { replaces: issued.chain } : {});
      reached('certificate:ordered');
      return { type: 'RecordOrder', order, authority: authority.name, proof, ...placed, now: now(), policy: this.policy };
    });
  }

  /** Proofs in the DNS: the records are made, and looked for. */
  prove({ order }: Certificate): Promise<CertificateCommand> {
    const { number, proofs, looks } = order!;
    return this.step(number, 'proof', true, async () => {
      await this.records.set(proofs);
      const { found, missing } = await this.records.look(proofs);
      return { type: 'RecordLook', order: number, look: looks + 1, found, missing, now: now(), policy: this.policy };
    });
  }

  /** Takes records of proofs away again. */
  async withdraw(proofs: readonly CertificateProof[]): Promise<CertificateCommand> {
    try {
      await this.records.remove(proofs);
      return { type: 'RecordProofsRemoved', proofs };
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      return { type: 'RecordRemovalDelay', error: error.message, now: now(), policy: this.policy };
    }
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
      return { type: 'RecordIssued', order: number, certificate: issued, now: now(), policy: this.policy };
    });
  }

  revoke({ issued, issuedBy, orders }: Certificate, reason: RevocationReason): Promise<CertificateCommand> {
    return this.step(orders, 'revocation', false, async () => {
      reached('certificate:revoke');
      await this.authorities.get(issuedBy).revoke(issued!.chain, reason);
      reached('certificate:revoked');
      return { type: 'RecordRevoked', serial: issued!.serial, now: now(), policy: this.policy };
    });
  }

  /** When its authority would like it to be renewed, if it says so. One instant of the window, always the same for a certificate. */
  async renewal({ issued, issuedBy }: Certificate): Promise<RenewalAdvice> {
    const known = this.authorities.find(issuedBy);
    try {
      const window = issued && known && (await known.renewal(issued.chain));
      if (!window) return { askAgainAt: inMs(ADVICE_AGAIN_MS) };
      const [start, end] = [Date.parse(window.start), Date.parse(window.end)];
      const share = parseInt(issued.fingerprint.slice(0, 8), 16) / 2 ** 32;
      return { suggested: { renewAt: new Date(start + Math.floor((end - start) * share)).toISOString(), reason: window.explanation || 'The authority suggests this time.' }, askAgainAt: window.askAgainAt };
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const allowedAt = error instanceof RateLimited && error.notBefore !== '' ? Date.parse(error.notBefore) - Date.now() : 0;
      return { problem: error.message, askAgainAt: inMs(Math.min(Math.max(allowedAt, ADVICE_AGAIN_MS), LONGEST_ADVICE_AGAIN_MS)) };
    }
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
}

const now = (): string => new Date().toISOString();
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
