import { setTimeout as sleep } from 'node:timers/promises';
import { axios, Client, directory, type Authorization, type Order } from 'acme-client';
import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import { reached } from '#contracts/probe.js';
import { RateLimited, revocationReasons, type CertificateAuthority, type PlacedOrder, type RenewalWindow, type RevocationReason } from '../certificate-authority.js';
import { ProviderError } from '../provider-error.js';
import { asProviderError, detailOf, earlier, FailedCall, patienceOf, renewalCheckAt, setUpHttp } from './acme-http.js';
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
  /** How long one call may take until its answer is there whole. Milliseconds. */
  readonly answerMs: number;
}

/** Directories by the names that people know them by. */
export const knownDirectories: Readonly<Record<string, string>> = { letsencrypt: directory.letsencrypt.production, 'letsencrypt-staging': directory.letsencrypt.staging };

const PATIENCE_MS = 90_000;
const LONGEST_POLL_MS = 3_000;
const LONGEST_REST_MS = 24 * 3_600_000;
const ASK_AGAIN_MS = 6 * 3_600_000;
const STATUSES: readonly string[] = ['pending', 'ready', 'processing', 'valid', 'invalid'];
const CHAIN = /-----BEGIN CERTIFICATE-----[^]+-----END CERTIFICATE-----\s*$/;
/** Numbers of RFC 5280, 5.3.1. */
const REASON_CODES: Record<RevocationReason, number> = { unspecified: 0, keyCompromise: 1, superseded: 4, cessationOfOperation: 5 };

/** What a look has shown: it is done, or what is to be looked at again. */
type Looked<T> = { readonly done: T } | { readonly waitsFor: readonly object[]; readonly status: string };

/** An authority that speaks ACME (RFC 8555). An order's reference is its URL. */
export class AcmeAuthority implements CertificateAuthority {
  readonly name = 'acme';
  readonly features = { proofs: ['http-01', 'dns-01'] } as const;
  private signedIn: Promise<Client> | undefined;

  constructor(private readonly settings: AcmeSettings) {
    setUpHttp(settings.trustedRoots, settings.answerMs);
  }

  async order(names: readonly string[], proof: 'http-01' | 'dns-01', { replaces, signal }: { readonly replaces?: string; readonly signal?: AbortSignal } = {}): Promise<PlacedOrder> {
    return this.asked('take an order', signal, async (client) => {
      reached('acme:order');
      const identifiers = names.map((value) => ({ type: 'dns', value }));
      const order = await this.place(client, identifiers, replaces);
      const wanted = (await this.authorizations(client, order)).filter(({ status }) => status !== 'valid');
      return { reference: order.url, proofs: await Promise.all(wanted.map((authorization) => proofOf(client, authorization, proof))) };
    });
  }

  async issue({ reference, proofs }: PlacedOrder, csr: string, signal?: AbortSignal): Promise<string> {
    return this.asked('issue the certificate', signal, async (client) => {
      const order = await this.refresh(client, reference);
      if (order.status === 'pending') await this.prove(client, order, proofs, signal);
      const ready = await this.untilNot(client, reference, 'pending', signal);
      reached('acme:finalize');
      if (ready.status === 'ready') await this.during('take the signing request', client.finalizeOrder(ready, csr));
      const done = await this.untilNot(client, reference, 'ready', signal, 'processing');
      if (done.status !== 'valid') throw new ProviderError(`The certificate authority did not issue: ${detailOf((done as { error?: object }).error ?? {})}`, false);
      reached('acme:download');
      const chain = await this.during('hand over the certificate', client.getCertificate(done));
      if (!CHAIN.test(chain)) throw new ProviderError('The certificate authority could not hand over the certificate: its answer is no whole chain in PEM.', true);
      return chain;
    });
  }

  async renewal(chain: string, signal?: AbortSignal): Promise<RenewalWindow | undefined> {
    const id = renewalId(chain);
    if (id === undefined) return undefined;
    return this.during('tell when to renew', this.window(id, { ...(signal && { signal }) }));
  }

  async revoke(chain: string, reason: RevocationReason, signal?: AbortSignal): Promise<void> {
    const code = REASON_CODES[revocationReasons.includes(reason) ? reason : 'unspecified'];
    await this.asked('revoke the certificate', signal, async (client) => {
      reached('acme:revoke');
      await client.revokeCertificate(chain, { reason: code }).catch(unless('alreadyRevoked'));
    });
  }

  private async window(id: string, options: { readonly signal?: AbortSignal }): Promise<RenewalWindow | undefined> {
    const base = (await axios.get<{ renewalInfo?: string }>(this.settings.directoryUrl, options)).data.renewalInfo;
    if (!base) return undefined;
    const { data } = await axios.get<{ suggestedWindow?: { start: string; end: string }; explanationURL?: string }>(`${base.replace(/\/$/, '')}/${id}`, options);
    const [start, end] = [data.suggestedWindow?.start, data.suggestedWindow?.end].map((time) => Date.parse(time ?? ''));
    if (!Number.isFinite(start) || !Number.isFinite(end)) throw new Error('its answer has no time');
    if (end! <= start!) throw new Error('its answer has a window that ends before it begins');
    const askAgainAt = renewalCheckAt(data, new Date(), ASK_AGAIN_MS);
    return { start: new Date(start!).toISOString(), end: new Date(end!).toISOString(), explanation: data.explanationURL ?? '', askAgainAt };
  }

  /** What it follows is good to know and no more: an authority that refuses the order with it, in whatever words, takes a plain one. (pebble breaks on it when the serial number begins with a zero byte, one in 256.) */
  private async place(client: Client, identifiers: { type: string; value: string }[], replaces: string | undefined): Promise<Order> {
    const id = replaces === undefined ? undefined : renewalId(replaces);
    const plain = { identifiers };
    const send = async (wish: typeof plain) => whole('take an order', await this.during('take an order', client.createOrder(wish)));
    if (id === undefined) return send(plain);
    return send({ ...plain, replaces: id } as typeof plain).catch((error: unknown) => {
      if (isRefused(error) && !(error instanceof RateLimited)) return send(plain);
      throw error;
    });
  }

  /** Says of each proof that it is there, and waits until they were looked at, or one was found wanting. */
  private async prove(client: Client, order: Order, proofs: readonly CertificateProof[], signal?: AbortSignal): Promise<void> {
    const open = (await this.authorizations(client, order)).filter(({ status }) => status === 'pending');
    reached('acme:prove');
    for (const authorization of open) {
      // What was begun before a death goes on by itself.
      const chosen = await Promise.all(authorization.challenges.map(async (one) => (await isProof(client, one, proofs)) && one.status === 'pending' ? [one] : []));
      for (const challenge of chosen.flat()) await this.during('look at a proof', client.completeChallenge(challenge));
    }
    await this.until('the proofs are', signal, async () => {
      const all = await this.authorizations(client, order);
      const isOver = all.every(({ status }) => status !== 'pending') || all.some(({ status }) => status === 'invalid');
      return isOver ? { done: true } : { waitsFor: all.filter(({ status }) => status === 'pending'), status: 'pending' };
    });
  }

  private untilNot(client: Client, reference: string, status: string, signal?: AbortSignal, other = status): Promise<Order> {
    return this.until<Order>('the order is', signal, async () => {
      const order = await this.refresh(client, reference);
      if (order.status === 'invalid') throw new ProviderError(`The certificate authority refuses the order: ${whyRefused(order, await this.authorizations(client, order))}`, false);
      return order.status !== status && order.status !== other ? { done: order } : { waitsFor: [order], status: order.status };
    });
  }

  /** Looks until it is done, more and more seldom, and no sooner than the authority wants to be asked. It is not waited for where that is too late. */
  private async until<T>(what: string, signal: AbortSignal | undefined, look: () => Promise<Looked<T>>): Promise<T> {
    const end = Date.now() + (this.settings.patienceMs ?? PATIENCE_MS);
    for (let pollMs = 50; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
      const seen = await look();
      if ('done' in seen) return seen.done;
      const now = new Date();
      const askedMs = patienceOf(seen.waitsFor, now);
      const waitMs = Math.max(pollMs, askedMs);
      if (now.getTime() + waitMs > end) throw notYet(`The certificate authority has not come to an end: ${what} still ${seen.status}.`, askedMs, now);
      await sleep(waitMs, undefined, { ...(signal && { signal }) });
    }
  }

  private async refresh(client: Client, reference: string): Promise<Order> {
    return whole('say how the order is', await this.during('say how the order is', client.getOrder({ url: reference } as Order)));
  }

  private async authorizations(client: Client, order: Order): Promise<readonly Authorization[]> {
    const all = await this.during('say what is to be proven', client.getAuthorizations(order));
    // The types are the library's wish, not what an authority says.
    if (all.some((one) => !(one.identifier as unknown) || !Array.isArray(one.challenges))) throw new ProviderError('The certificate authority could not say what is to be proven: its answer has no challenges.', true);
    return all;
  }

  private async asked<T>(what: string, signal: AbortSignal | undefined, work: (client: Client) => Promise<T>): Promise<T> {
    const begun = async () => {
      signal?.throwIfAborted();
      return work(await this.signIn());
    };
    return this.during(what, begun());
  }

  /** Of a call that failed it is said what it was for. What is remembered of an authority that does not speak as it did, or not know us any more, may be out of date. */
  private async during<T>(what: string, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      const isRefusal = error instanceof FailedCall && error.refusal !== undefined && error.kind !== 'accountDoesNotExist';
      if (!isRefusal && !(error instanceof ProviderError)) this.signedIn = undefined;
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
    const isThere = await this.during('find our account', client.createAccount({ onlyReturnExisting: true }).then(() => true, unless('accountDoesNotExist')));
    // Said again to an account that is there, it changes who is written to; without anybody there is nothing to say, and authorities refuse that.
    if (!isThere || email) await this.during(isThere ? 'take note of whom to write to' : 'open an account', client.createAccount({ termsOfServiceAgreed: true, ...(email && { contact: [`mailto:${email}`] }) }));
    return client;
  }
}

function notYet(words: string, askedMs: number, now: Date): ProviderError {
  if (askedMs === 0) return new ProviderError(words, true);
  const notBefore = earlier(new Date(now.getTime() + askedMs).toISOString(), now, LONGEST_REST_MS);
  return new RateLimited(`${words} It wants to be asked again at ${notBefore}.`, notBefore);
}

/** The authority has answered that it does not do it; of who did not answer nobody knows. */
const isRefused = (error: unknown): boolean => error instanceof ProviderError && error.cause instanceof FailedCall && error.cause.refusal !== undefined;

/** A refusal of this kind is an answer (RFC 8555, 6.7): undefined. */
function unless(kind: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof FailedCall && error.kind === kind) return undefined;
    throw error;
  };
}

/** An order that says where it is and what it wants; with less it would be waited for in vain. */
function whole(what: string, order: Order): Order {
  if (STATUSES.includes(order.status) && Array.isArray(order.authorizations)) return order;
  throw new ProviderError(`The certificate authority could not ${what}: its answer has no status or no authorizations.`, true);
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
function whyRefused(order: Order, all: readonly Authorization[]): string {
  const bad = all.flatMap(({ identifier, challenges }) => challenges.flatMap((one) => ('error' in one && one.error ? [`${identifier.value}: ${detailOf(one.error)}`] : [])));
  return bad.join('; ') || detailOf((order as { error?: object }).error ?? {});
}
