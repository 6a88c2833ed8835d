import { setTimeout as sleep } from 'node:timers/promises';
import { axios, Client, directory, type Authorization, type Order } from 'acme-client';
import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import { reached } from '#contracts/probe.js';
import { revocationReasons, type CertificateAuthority, type PlacedOrder, type RenewalWindow, type RevocationReason } from '../certificate-authority.js';
import { ProviderError } from '../provider-error.js';
import { asProviderError, detailOf, setUpHttp, timeOf } from './acme-http.js';
import { renewalId } from './renewal-info.js';

export interface AcmeSettings {
  /** Address of the authority's directory. */
  readonly directoryUrl: string;
  /** Whom the authority writes to; empty: nobody. */
  readonly email: string;
  /** Account that the authority gave us by other ways (external account binding). */
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  /** PEM of further roots that the directory's own certificate may come from. */
  readonly trustedRoots?: string;
  /** PEM of the account's key, wherever it is kept. */
  accountKey(): Promise<string>;
  /** How long the authority may take to look at a proof, or to issue. Milliseconds. */
  readonly patienceMs?: number;
}

/** Directories by the names that people know them by. */
export const knownDirectories: Readonly<Record<string, string>> = { letsencrypt: directory.letsencrypt.production, 'letsencrypt-staging': directory.letsencrypt.staging };

const PATIENCE_MS = 90_000;
const LONGEST_POLL_MS = 3_000;
const ASK_AGAIN_MS = 6 * 3_600_000;
/** Numbers of RFC 5280, 5.3.1. */
const REASON_CODES: Record<RevocationReason, number> = { unspecified: 0, keyCompromise: 1, superseded: 4, cessationOfOperation: 5 };

/** An authority that speaks ACME (RFC 8555). An order's reference is its URL. */
export class AcmeAuthority implements CertificateAuthority {
  readonly name = 'acme';
  readonly features = { proofs: ['http-01', 'dns-01'] } as const;
  private signedIn: Promise<Client> | undefined;

  constructor(private readonly settings: AcmeSettings) {
    setUpHttp(settings.trustedRoots);
  }

  async order(names: readonly string[], proof: 'http-01' | 'dns-01', { replaces, signal }: { readonly replaces?: string; readonly signal?: AbortSignal } = {}): Promise<PlacedOrder> {
    return this.asked('take an order', signal, async (client) => {
      reached('acme:order');
      const identifiers = names.map((value) => ({ type: 'dns', value }));
      const order = await this.place(client, identifiers, replaces);
      const wanted = (await client.getAuthorizations(order)).filter(({ status }) => status !== 'valid');
      return { reference: order.url, proofs: await Promise.all(wanted.map((authorization) => proofOf(client, authorization, proof))) };
    });
  }

  async issue({ reference, proofs }: PlacedOrder, csr: string, signal?: AbortSignal): Promise<string> {
    return this.asked('issue the certificate', signal, async (client) => {
      const order = await this.refresh(client, reference);
      if (order.status === 'pending') await this.prove(client, order, proofs);
      const ready = await this.untilNot(client, reference, 'pending', signal);
      reached('acme:finalize');
      if (ready.status === 'ready') await client.finalizeOrder(ready, csr);
      const done = await this.untilNot(client, reference, 'ready', signal, 'processing');
      if (done.status !== 'valid') throw new ProviderError(`The certificate authority did not issue: ${detailOf((done as { error?: object }).error ?? {})}`, false);
      reached('acme:download');
      return client.getCertificate(done);
    });
  }

  async renewal(chain: string, signal?: AbortSignal): Promise<RenewalWindow | undefined> {
    const id = renewalId(chain);
    if (id === undefined) return undefined;
    try {
      const base = (await axios.get<{ renewalInfo?: string }>(this.settings.directoryUrl, { ...(signal && { signal }) })).data.renewalInfo;
      if (!base) return undefined;
      const { data, headers } = await axios.get<{ suggestedWindow: { start: string; end: string }; explanationURL?: string }>(`${base.replace(/\/$/, '')}/${id}`, { ...(signal && { signal }) });
      const [start, end] = [data.suggestedWindow.start, data.suggestedWindow.end].map((time) => new Date(time).toISOString());
      const askAgainAt = timeOf((headers as Record<string, string | undefined>)['retry-after'], new Date()) || new Date(Date.now() + ASK_AGAIN_MS).toISOString();
      return { start: start!, end: end!, explanation: data.explanationURL ?? '', askAgainAt };
    } catch (error) {
      throw asProviderError(error, 'tell when to renew');
    }
  }

  async revoke(chain: string, reason: RevocationReason, signal?: AbortSignal): Promise<void> {
    const code = REASON_CODES[revocationReasons.includes(reason) ? reason : 'unspecified'];
    await this.asked('revoke the certificate', signal, async (client) => {
      reached('acme:revoke');
      await client.revokeCertificate(chain, { reason: code }).catch((error: Error) => {
        if (!error.message.includes('alreadyRevoked')) throw error;
      });
    });
  }

  /** An authority that does not know, or no longer takes, the certificate that this one follows takes a plain order. */
  private async place(client: Client, identifiers: { type: string; value: string }[], replaces: string | undefined): Promise<Order> {
    const id = replaces === undefined ? undefined : renewalId(replaces);
    const plain = { identifiers };
    if (id === undefined) return client.createOrder(plain);
    return client.createOrder({ ...plain, replaces: id } as typeof plain).catch((error: unknown) => {
      if (error instanceof ProviderError && !error.retryable) return client.createOrder(plain);
      throw error;
    });
  }

  /** Says of each proof that it is there. */
  private async prove(client: Client, order: Order, proofs: readonly CertificateProof[]): Promise<void> {
    const open = (await client.getAuthorizations(order)).filter(({ status }) => status === 'pending');
    reached('acme:prove');
    for (const authorization of open) {
      // What was begun before a death goes on by itself.
      const chosen = await Promise.all(authorization.challenges.map(async (one) => (await isProof(client, one, proofs)) && one.status === 'pending' ? [one] : []));
      for (const challenge of chosen.flat()) await client.completeChallenge(challenge);
    }
  }

  private async untilNot(client: Client, reference: string, status: string, signal?: AbortSignal, other = status): Promise<Order> {
    const end = Date.now() + (this.settings.patienceMs ?? PATIENCE_MS);
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, LONGEST_POLL_MS)) {
      const order = await this.refresh(client, reference);
      if (order.status === 'invalid') throw new ProviderError(`The certificate authority refuses the order: ${await whyRefused(client, order)}`, false);
      if (order.status !== status && order.status !== other) return order;
      if (Date.now() + waitMs > end) throw new ProviderError(`The certificate authority has not come to an end: the order is still ${order.status}.`, true);
      await sleep(waitMs, undefined, { ...(signal && { signal }) });
    }
  }

  private refresh(client: Client, reference: string): Promise<Order> {
    return client.getOrder({ url: reference } as Order);
  }

  private async asked<T>(what: string, signal: AbortSignal | undefined, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      signal?.throwIfAborted();
      return await work(await this.signIn());
    } catch (error) {
      throw asProviderError(error, what);
    }
  }

  /** The account is the key's: signing in makes it, or finds it. */
  private signIn(): Promise<Client> {
    this.signedIn ??= this.account().catch((error: unknown) => {
      this.signedIn = undefined;
      throw error;
    });
    return this.signedIn;
  }

  private async account(): Promise<Client> {
    const { directoryUrl, email, eab } = this.settings;
    const client = new Client({ directoryUrl, accountKey: await this.settings.accountKey(), ...(eab && { externalAccountBinding: { ...eab } }) });
    reached('acme:account');
    const isThere = await client.createAccount({ onlyReturnExisting: true }).then(() => true, isUnknown);
    // Said again to an account that is there, it changes who is written to; without anybody there is nothing to say, and authorities refuse that.
    if (!isThere || email) await client.createAccount({ termsOfServiceAgreed: true, ...(email && { contact: [`mailto:${email}`] }) });
    return client;
  }
}

/** There is no account of this key yet (RFC 8555, 7.3.1). */
function isUnknown(error: Error): false {
  if (error.message.includes('accountDoesNotExist')) return false;
  throw error;
}

async function proofOf(client: Client, { identifier, challenges }: Authorization, type: 'http-01' | 'dns-01'): Promise<CertificateProof> {
  const challenge = challenges.find((one) => one.type === type);
  if (!challenge) throw new ProviderError(`The certificate authority does not take ${type} as a proof of ${identifier.value}: it offers ${challenges.map((one) => one.type).join(', ')}.`, false);
  const text = await client.getChallengeKeyAuthorization(challenge);
  return { type, name: identifier.value, token: type === 'dns-01' ? `_acme-challenge.${identifier.value}` : challenge.token, text };
}

/** Whether a challenge is one of those whose proof is in place. */
async function isProof(client: Client, challenge: Authorization['challenges'][number], proofs: readonly CertificateProof[]): Promise<boolean> {
  if (challenge.type !== 'http-01' && challenge.type !== 'dns-01') return false;
  const text = await client.getChallengeKeyAuthorization(challenge);
  return proofs.some((proof) => proof.type === challenge.type && proof.text === text);
}

/** The proof that was not found as it should be, in the authority's own words. */
async function whyRefused(client: Client, order: Order): Promise<string> {
  const all = await client.getAuthorizations(order);
  const bad = all.flatMap(({ identifier, challenges }) => challenges.flatMap((one) => ('error' in one && one.error ? [`${identifier.value}: ${detailOf(one.error)}`] : [])));
  return bad.join('; ') || detailOf((order as { error?: object }).error ?? {});
}
