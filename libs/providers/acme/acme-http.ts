import { Agent } from 'node:https';
import { rootCertificates } from 'node:tls';
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

const KIND = 'urn:ietf:params:acme:error:';
const ANSWER_TIMEOUT_MS = 30_000;
/** Kinds that pass by themselves; whatever else an authority says, it would say again. */
const PASSING = ['badNonce', 'serverInternal', 'orderNotReady'];

/**
 * Makes the client's one HTTP layer ours: it repeats and waits for nothing (that is decided where it is recorded), every refusal is told with the authority's own words and
 * its Retry-After, and an authority that few know is believed by its own root. The client library has one such layer for all its clients.
 */
export function setUpHttp(trustedRoots: string | undefined): void {
  axios.defaults.timeout = ANSWER_TIMEOUT_MS;
  axios.defaults.validateStatus = null;
  axios.defaults.httpsAgent = new Agent({ keepAlive: false, ...(trustedRoots !== undefined && { ca: [...rootCertificates, trustedRoots] }) });
  axios.interceptors.request.clear();
  axios.interceptors.response.clear();
  axios.interceptors.response.use((response) => {
    const problem = problemOf(response.data);
    // The client itself asks again with another nonce.
    if (response.status < 400 || problem.type === `${KIND}badNonce`) return response;
    throw refusalOf(response.status, problem, (response.headers as Record<string, string | undefined>)['retry-after'], new Date());
  });
}

/** What an authority's refusal means to us. */
export function refusalOf(status: number, problem: Problem, retryAfter: string | undefined, now: Date): ProviderError {
  const kind = problem.type?.startsWith(KIND) ? problem.type.slice(KIND.length) : '';
  const words = `The certificate authority answers ${status}${kind && ` (${kind})`}: ${detailOf(problem)}`;
  const notBefore = timeOf(retryAfter, now);
  if (status === 429 || kind === 'rateLimited') return new RateLimited(words, notBefore);
  if (status === 503 && notBefore !== '') return new RateLimited(words, notBefore);
  return new ProviderError(words, status >= 500 || PASSING.includes(kind));
}

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

function problemOf(data: unknown): Problem {
  return typeof data === 'object' && data !== null ? data : {};
}

/** An error that came on the way: whoever could not be reached may be reached later. A vault that is away is not the authority's fault, and stays what it is. */
export function asProviderError(error: unknown, what: string): ProviderError | Unavailable {
  if (error instanceof ProviderError || error instanceof Unavailable) return error;
  const { message, code } = error as Error & { code?: string };
  return new ProviderError(`The certificate authority could not ${what}: ${message || code || String(error)}`, true, { cause: error });
}
