import { setTimeout as sleep } from 'node:timers/promises';
import Cloudflare from 'cloudflare';
import { reached } from '#contracts/probe.js';
import { RateLimited } from '../certificate-authority.js';
import { ProviderError } from '../provider-error.js';

export interface CloudflareSettings {
  readonly token: string;
  /** Without it https://api.cloudflare.com/client/v4. */
  readonly url?: string | undefined;
  /** How often a call is tried, and how long a try may take until its answer is there whole. */
  readonly attempts?: number;
  readonly callMs?: number;
  /** Before the second try; doubled before each further one. */
  readonly pauseMs?: number;
  /** Whether a call that came too often is waited with and sent again; yes, unless told. */
  readonly waitsWhenLimited?: boolean;
}

/** One call: what it is to do, in words, and the point that a process passes when it changes something. */
export interface Call {
  readonly what: string;
  /** For example create-record; without it nothing is changed. */
  readonly changes?: string;
  /** Sent again it would make a second one: it is not, unless it was certainly not taken. */
  readonly isCreation?: boolean;
}

/** The state is not known, or not what was thought: look again before anything more is done. */
export class LookAgain extends ProviderError {}

/** A longer Retry-After is left to the next try of the work. */
const LONGEST_PAUSE_MS = 20_000;
const WORDS = 400;
/** The client's own time-out comes after ours, for it says nothing but "aborted". */
const LATER_MS = 1_000;
/** Somebody was quicker, or took it away (https://developers.cloudflare.com/dns/troubleshooting/): the zone is not as it was looked at. */
const CHANGED_MEANWHILE = new Set([81_044, 81_053, 81_054, 81_057, 81_058]);

/**
 * Cloudflare's own client with retries and time-outs of ours: what may pass (429 with the pause that it asks for, 5xx, a lost connection) is sent again, a creation only
 * when it was certainly not taken. What is not answered in time is told at once: it is tried again with the work, whose status says why. The token is in no message.
 */
export class CloudflareApi {
  private readonly client: Cloudflare;
  private readonly attempts: number;
  private readonly pauseMs: number;
  private readonly waitsWhenLimited: boolean;

  constructor({ token, url, attempts = 4, callMs = 15_000, pauseMs = 500, waitsWhenLimited = true }: CloudflareSettings) {
    this.waitsWhenLimited = waitsWhenLimited;
    this.attempts = attempts;
    this.pauseMs = pauseMs;
    // What the client would read from CLOUDFLARE_* by itself is set here, so that the environment has no say.
    this.client = new Cloudflare({
      apiToken: token, apiKey: null, apiEmail: null, userServiceKey: null, baseURL: url ?? 'https://api.cloudflare.com/client/v4', apiVersion: null,
      maxRetries: 0, timeout: callMs + LATER_MS, logLevel: 'off', fetch: wholeWithin(callMs),
    });
  }

  async ask<T>(call: Call, send: (client: Cloudflare) => PromiseLike<T>): Promise<T> {
    if (call.changes) reached(`cloudflare:${call.changes}`);
    for (let attempt = 1, pauseMs = this.pauseMs; ; attempt++, pauseMs *= 2) {
      try {
        const answer = await send(this.client);
        if (call.changes) reached(`cloudflare:${call.changes}:done`);
        return answer;
      } catch (error) {
        const { again, afterMs = 0, error: told } = outcomeOf(call, error);
        const waitMs = Math.max(afterMs, pauseMs);
        if (!again || (told instanceof RateLimited && !this.waitsWhenLimited) || attempt >= this.attempts || waitMs > LONGEST_PAUSE_MS) throw told;
        await sleep(waitMs);
      }
    }
  }
}

interface Outcome {
  readonly error: ProviderError;
  readonly again: boolean;
  readonly afterMs?: number;
}

function outcomeOf(call: Call, error: unknown): Outcome {
  if (error instanceof Cloudflare.APIConnectionError) return unanswered(call, error);
  if (!(error instanceof Cloudflare.APIError) || error.status === undefined) throw error;
  const { status, headers } = error as { status: number; headers?: Headers };
  const errors = said(error.error);
  const message = `Cloudflare could not ${call.what}: ${status}${errors.text}.${advice(status)}`;
  if (status < 500 && errors.codes.some((code) => CHANGED_MEANWHILE.has(code))) return { error: new LookAgain(message, false, { cause: error }), again: false };
  if (status === 429) {
    const afterMs = retryAfterMs(headers?.get('retry-after'));
    return { error: new RateLimited(message, afterMs > 0 ? new Date(Date.now() + afterMs).toISOString() : '', { cause: error }), again: true, afterMs };
  }
  if (status < 500) return { error: new ProviderError(message, false, { cause: error }), again: false };
  return call.isCreation ? { error: new LookAgain(message, true, { cause: error }), again: false } : { error: new ProviderError(message, true, { cause: error }), again: true };
}

/** Nobody answered in time. */
class Late extends Error {}

/** What the client says of it is always "Connection error." */
function unanswered(call: Call, error: Error): Outcome {
  const why = (error.cause as Error | undefined)?.message ?? error.message;
  const message = `Cloudflare does not answer (${why}) when it is to ${call.what}.`;
  const wasSent = !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/.test(why);
  return call.isCreation && wasSent ? { error: new LookAgain(message, true), again: false } : { error: new ProviderError(message, true), again: !(error.cause instanceof Late) };
}

/** `{errors: [{code, message}]}`; a proxy on the way may answer with a page. */
function said(body: unknown): { readonly codes: readonly number[]; readonly text: string } {
  const { errors } = (typeof body === 'object' && body !== null ? body : {}) as { errors?: readonly { code?: number; message?: string }[] };
  const known = Array.isArray(errors) ? errors : [];
  const text = known.map(({ code, message }) => `${message ?? ''}${code === undefined ? '' : ` [${code}]`}`.trim()).join('; ').slice(0, WORDS);
  return { codes: known.flatMap(({ code }) => (typeof code === 'number' ? [code] : [])), text: text === '' ? '' : ` (${text})` };
}

function advice(status: number): string {
  if (status === 401 || status === 403) return ' Check HOSTPLANE_CLOUDFLARE_API_TOKEN: it needs Zone Read and DNS Edit of these zones, SSL and Certificates Edit for origin certificates, and Cloudflare Tunnel Edit of the account for a tunnel that is managed there.';
  return '';
}

function retryAfterMs(header: string | null | undefined): number {
  const seconds = Number(header ?? '');
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

/** The client's own time-out ends with the headers: this one bounds the body, too. What fetch itself says of an error is always "fetch failed". */
function wholeWithin(ms: number): typeof fetch {
  return async (input, init) => {
    const limit = AbortSignal.timeout(ms);
    try {
      const answer = await fetch(input, { ...init, redirect: 'error', signal: init?.signal ? AbortSignal.any([init.signal, limit]) : limit });
      const body = await answer.arrayBuffer();
      return new Response(body.byteLength === 0 ? null : body, { status: answer.status, headers: answer.headers });
    } catch (error) {
      // Without its cause, by which the client would take it for a time-out of its own.
      if (limit.aborted) throw new Late(`nothing within ${ms / 1000} s`);
      const { message, cause } = error as { message: string; cause?: { code?: string; message?: string } };
      throw new Error(cause?.code ?? cause?.message ?? message, { cause: error });
    }
  };
}
