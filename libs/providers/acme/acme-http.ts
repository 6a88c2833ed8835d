import { Agent } from 'node:https';
import { createSecureContext, rootCertificates } from 'node:tls';
import { axios } from 'acme-client';
import { Unavailable } from '#messaging/unavailable.js';
import { ProviderError } from '../provider-error.js';
import { RateLimited } from '../certificate-authority.js';

/** An authority's answer that something is not as it should be (RFC 7807, RFC 8555 section 6.7). */
interface Problem {
  readonly type?: string;
  readonly detail?: string;
  readonly subproblems?: readonly { readonly detail?: string; readonly identifier?: { readonly value?: string } }[];
}

interface Refusal {
  readonly status: number;
  readonly problem: Problem;
  readonly retryAfter: string | undefined;
}

/** What the HTTP layer says of a call; its client library has types of its own for each part. */
interface Sent {
  readonly method?: string;
  readonly url?: string;
  readonly signal?: AbortSignal;
}

/** Retry-After of answers that said how something is, which may say that it is not done yet. */
const retryAfters = new WeakMap<object, string>();

const KIND = 'urn:ietf:params:acme:error:';
const DAY_MS = 86_400_000;
const [LEAST_RENEWAL_CHECK_MS, LONGEST_RENEWAL_CHECK_MS] = [60_000, DAY_MS];
/** Let's Encrypt counts certificates by the week: no limit that is meant lasts longer. */
const LONGEST_REFUSAL_MS = 7 * DAY_MS;
/** Kinds that pass by themselves; whatever else an authority says, it would say again. */
const PASSING = ['badNonce', 'serverInternal', 'orderNotReady'];

/** A call that was refused, got lost on its way, or was answered with what is no use. */
export class FailedCall extends Error {
  constructor(
    message: string,
    /** What was asked for; empty for what is signed, whose caller knows what it wanted. */
    readonly path: string,
    readonly refusal?: Refusal,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** Why it was refused, as RFC 8555 (6.7) names it; empty where it does not. */
  get kind(): string {
    return this.refusal ? kindOf(this.refusal.problem) : '';
  }
}

/**
 * Makes the client's one HTTP layer ours: it repeats and waits for nothing (that is decided where it is recorded), an answer is there whole in time, every refusal is told with
 * the authority's own words and its Retry-After, and an authority that few know is believed by its own root. The client library has one such layer for all its clients.
 */
export function setUpHttp(trustedRoots: string | undefined, answerMs: number): void {
  axios.defaults.validateStatus = null;
  // Read once: for each connection all roots together take longer than the rest of it.
  axios.defaults.httpsAgent = new Agent({ keepAlive: false, ...(trustedRoots !== undefined && { secureContext: createSecureContext({ ca: [...rootCertificates, trustedRoots] }) }) });
  axios.interceptors.request.clear();
  axios.interceptors.response.clear();
  axios.interceptors.request.use((config) => {
    const limit = AbortSignal.timeout(answerMs);
    config.signal = config.signal ? AbortSignal.any([config.signal as AbortSignal, limit]) : limit;
    return config;
  });
  axios.interceptors.response.use(
    (response) => {
      const { status, data, headers, config } = response as { status: number; data: unknown; headers: Record<string, string | undefined>; config: Sent };
      const failure = failureOf(status, data, headers, pathOf(config));
      if (failure) throw failure;
      const retryAfter = headers['retry-after'];
      if (retryAfter !== undefined && typeof data === 'object' && data !== null) retryAfters.set(data, retryAfter);
      return response;
    },
    (error: Error & { code?: string; config?: Sent }) => {
      const isLate = (error.config?.signal?.reason as Error | undefined)?.name === 'TimeoutError';
      throw new FailedCall(isLate ? `no whole answer came within ${answerMs / 1000} s` : error.message || (error.code ?? String(error)), pathOf(error.config), undefined, { cause: error });
    },
  );
}

/** What is wrong with an answer. Certificates are text and some answers have no body; all else is JSON, and the client would take half of it for the whole. */
function failureOf(status: number, data: unknown, headers: Record<string, string | undefined>, path: string): FailedCall | undefined {
  const problem = problemOf(data);
  // The client itself asks again with another nonce.
  if (problem.type === `${KIND}badNonce`) return undefined;
  if (status >= 400) return refusedCall(status, problem, headers['retry-after'], path);
  const isText = typeof data === 'string' && data !== '' && !headers['content-type']?.includes('pem');
  return isText ? new FailedCall(`it answers ${status} with what is no JSON`, path) : undefined;
}

export function refusedCall(status: number, problem: Problem, retryAfter: string | undefined, path = ''): FailedCall {
  const kind = kindOf(problem);
  return new FailedCall(`it answers ${status}${kind && ` (${kind})`}: ${detailOf(problem)}`, path, { status, problem, retryAfter });
}

/** What came of a call that failed, or on the way to it: whoever could not be reached may be reached later. A vault that is away is not the authority's fault, and stays what it is. */
export function asProviderError(error: unknown, what: string, now = new Date()): ProviderError | Unavailable {
  if (error instanceof ProviderError || error instanceof Unavailable) return error;
  const { message, code } = error as Error & { code?: string };
  const { path, refusal } = error instanceof FailedCall ? error : { path: '', refusal: undefined };
  const words = `The certificate authority could not ${what}${path && `, asked for ${path}`}: ${message || code || String(error)}`;
  return refusal ? refused(refusal, words, now, error) : new ProviderError(words, true, { cause: error });
}

/** What an authority's refusal means to us. */
function refused({ status, problem, retryAfter }: Refusal, words: string, now: Date, cause: unknown): ProviderError {
  const [kind, notBefore] = [kindOf(problem), timeOf(retryAfter, now)];
  if (status === 429 || kind === 'rateLimited' || (status >= 500 && notBefore !== '')) return new RateLimited(words, notBefore && earlier(notBefore, now, LONGEST_REFUSAL_MS), { cause });
  return new ProviderError(words, status >= 500 || PASSING.includes(kind), { cause });
}

/** How long the authority wants us to wait until it is asked again for what it answered (RFC 8555, 7.4 and 7.5.1), in milliseconds; 0: it does not say. */
export function patienceOf(answers: readonly object[], now: Date): number {
  const times = answers.map((one) => Date.parse(timeOf(retryAfters.get(one), now)) - now.getTime());
  return Math.max(0, ...times.filter((ms) => ms > 0));
}

/** When to ask for renewal information again: within a minute and a day, as RFC 9773 (4.3.1) has it; after `otherwiseMs` where nothing was said. */
export function renewalCheckAt(answer: object, now: Date, otherwiseMs: number): string {
  const saidMs = Date.parse(timeOf(retryAfters.get(answer), now)) - now.getTime();
  const waitMs = Number.isNaN(saidMs) ? otherwiseMs : Math.min(Math.max(saidMs, LEAST_RENEWAL_CHECK_MS), LONGEST_RENEWAL_CHECK_MS);
  return new Date(now.getTime() + waitMs).toISOString();
}

/** No later than so long from now: nobody's clock or mistake puts us off for ever. */
export const earlier = (time: string, now: Date, longestMs: number): string => new Date(Math.min(Date.parse(time), now.getTime() + longestMs)).toISOString();

/** What went wrong with an order or a proof, in one sentence. */
export function detailOf({ detail, subproblems = [] }: Problem): string {
  const parts = subproblems.flatMap((one) => (one.detail ? [`${one.identifier?.value ?? ''} ${one.detail}`.trim()] : []));
  return [detail ?? 'it does not say why', ...parts].join('; ').replace(/\s+/g, ' ').slice(0, 600);
}

/** An instant as Retry-After says it, seconds or a date (RFC 9110, 10.2.3); empty when it says none. */
export function timeOf(retryAfter: string | undefined, now: Date): string {
  if (retryAfter === undefined) return '';
  const ms = /^\d+$/.test(retryAfter) ? now.getTime() + Number(retryAfter) * 1000 : Date.parse(retryAfter);
  return Number.isNaN(ms) || ms > 8.64e15 ? '' : new Date(ms).toISOString();
}

const kindOf = ({ type }: Problem): string => (typeof type === 'string' && type.startsWith(KIND) ? type.slice(KIND.length) : '');

function problemOf(data: unknown): Problem {
  return typeof data === 'object' && data !== null ? data : {};
}

const pathOf = ({ method, url }: Sent = {}): string => (method === 'post' || url === undefined ? '' : new URL(url).pathname);
