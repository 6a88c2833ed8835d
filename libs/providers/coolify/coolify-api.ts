import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { reached } from '#contracts/probe.js';
import { ProviderError } from '../provider-error.js';
import { masked } from '../masked.js';
import { Pace } from './pace.js';
import type { CoolifyRequest } from './requests.js';
import type { CoolifySettings } from './settings.js';

/** A longer Retry-After is left to the next delivery of the work. */
const LONGEST_PAUSE_MS = 65_000;
const WORDS = 500;

export interface SendOptions {
  /** Statuses that mean that it is so already; the answer is undefined then. */
  readonly fine?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** Values that no message may repeat. */
  readonly secrets?: readonly string[];
}

/** It is not known whether Coolify took a request that makes something: look before you send it again. */
export class UnknownOutcome extends ProviderError {}

/** One attempt: an answer, or why there is none and whether to try again, after how long. */
type Outcome = { readonly answer: Response } | { readonly error: ProviderError; readonly again: boolean; readonly afterMs?: number };

/**
 * Sends requests to a Coolify, slowly enough for it, and says what became of them. What may pass (429, 5xx, no answer) is sent again, with the
 * pause that Coolify asks for; a request that makes something only when it was certainly not taken. The token is in no message.
 */
export class CoolifyApi {
  private readonly root: string;
  private readonly pace: Pace;

  constructor(private readonly settings: CoolifySettings) {
    this.root = `${settings.url.replace(/\/+$/, '').replace(/\/api\/v1$/, '')}/api/v1`;
    this.pace = new Pace(settings.requestsPerMinute);
  }

  /** The answer, in the shape that is expected of it. */
  async ask<S extends z.ZodType>(request: CoolifyRequest, shape: S, options: SendOptions = {}): Promise<z.output<S>> {
    return (await this.find(request, shape, { ...options, fine: [] }))!;
  }

  /** The answer, or undefined where the status is one of those that are fine. */
  async find<S extends z.ZodType>(request: CoolifyRequest, shape: S, options: SendOptions = {}): Promise<z.output<S> | undefined> {
    const answer = await this.send(request, options);
    if (!answer) return undefined;
    const read = shape.safeParse(await answer.json().catch(() => undefined));
    if (read.success) return read.data;
    const where = read.error.issues.map((issue) => issue.path.join('.') || 'the whole').join(', ');
    throw new ProviderError(`The Coolify at ${this.root} answered when it was to ${request.what}, but not as its API version 4 does (${where}): check its version, and that COOLIFY_API_URL is its address.`, false);
  }

  /** The answer once it is a good one; undefined where the status is one of those that are fine. */
  async send(request: CoolifyRequest, { fine = [], signal, secrets = [] }: SendOptions = {}): Promise<Response | undefined> {
    const isChange = request.method !== 'GET';
    if (isChange) reached(`coolify:${request.verb}`);
    for (let attempt = 1, pauseMs = this.settings.pauseMs; ; attempt++, pauseMs *= 2) {
      const outcome = await this.attempt(request, [...secrets, this.settings.token], signal);
      if ('answer' in outcome || fine.includes((outcome.error.cause as Fault | undefined)?.status ?? 0)) {
        if (isChange) reached(`coolify:${request.verb}:done`);
        return 'answer' in outcome ? outcome.answer : undefined;
      }
      const wait = Math.max(outcome.afterMs ?? 0, pauseMs);
      if (!outcome.again || attempt >= this.settings.attempts || wait > LONGEST_PAUSE_MS) throw outcome.error;
      await pause(wait, signal);
    }
  }

  private async attempt(request: CoolifyRequest, secrets: readonly string[], signal: AbortSignal | undefined): Promise<Outcome> {
    const limit = AbortSignal.timeout(this.settings.callMs);
    try {
      signal?.throwIfAborted();
      await this.pace.turn(signal);
      const answer = await fetch(this.address(request), {
        method: request.method,
        headers: { accept: 'application/json', authorization: `Bearer ${this.settings.token}`, ...(request.body !== undefined && { 'content-type': 'application/json' }) },
        ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
        redirect: 'error',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
      // The body too has to arrive within the time.
      const body = await answer.text();
      if (answer.ok) return { answer: new Response(body === '' ? null : body, { status: answer.status }) };
      return this.refused(request, answer, masked(body, secrets));
    } catch (error) {
      return this.unanswered(request, error as Error, limit, signal);
    }
  }

  private address({ path, query = {} }: CoolifyRequest): string {
    const search = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])).toString();
    return `${this.root}${path}${search && `?${search}`}`;
  }

  private refused(request: CoolifyRequest, answer: Response, body: string): Outcome {
    const { status } = answer;
    const passes = status === 429 || status >= 500;
    const message = `The Coolify at ${this.root} could not ${request.what}: ${status}${words(body)}.${advice(status)}`;
    const unknown = status >= 500 && request.isCreation === true;
    const cause: Fault = { status };
    const error = unknown ? new UnknownOutcome(message, true, { cause }) : new ProviderError(message, passes, { cause });
    const asked = Number(answer.headers.get('retry-after'));
    return { error, again: passes && !unknown, ...(asked > 0 && { afterMs: asked * 1000 }) };
  }

  private unanswered(request: CoolifyRequest, error: Error, limit: AbortSignal, signal: AbortSignal | undefined): Outcome {
    if (signal?.aborted) return { error: calledOff(error), again: false };
    const why = limit.aborted ? `no answer within ${this.settings.callMs / 1000} s` : reasonOf(error);
    if (/redirect/.test(why)) return { error: new ProviderError(`The Coolify at ${this.root} redirects: set COOLIFY_API_URL to the address that it redirects to.`, false), again: false };
    const message = `The Coolify at ${this.root} does not answer (${why}) when it is to ${request.what}: check that it runs, and COOLIFY_API_URL.`;
    const wasSent = !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/.test(why);
    if (request.isCreation && wasSent) return { error: new UnknownOutcome(message, true), again: false };
    return { error: new ProviderError(message, true), again: true };
  }
}

/** A pause that ends at once when the work is called off. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch((error: unknown) => {
    throw calledOff(error as Error);
  });
}

interface Fault {
  readonly status: number;
}

const calledOff = (error: Error) => new ProviderError('The work at Coolify was called off before it was done.', true, { cause: error });

/** What fetch itself says is always "fetch failed". */
function reasonOf(error: Error): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return [cause?.code, cause?.message].filter(Boolean).join(' ') || error.message;
}

/** `{message}`, with `{errors: {field: [reason]}}` or `{conflicts: [{message}]}` beside it; a proxy before it may answer with a page. */
function words(body: string): string {
  try {
    const { message, error, errors, conflicts } = JSON.parse(body) as { message?: string; error?: string; errors?: Record<string, string | string[]>; conflicts?: { message?: string }[] };
    const fields = Object.entries(errors ?? {}).map(([field, reasons]) => `${field}: ${[reasons].flat().join(' ')}`);
    const said = [message, error, ...fields, ...(conflicts ?? []).map((conflict) => conflict.message)].filter(Boolean).join(' ');
    return said === '' ? '' : ` (${said.slice(0, WORDS).replace(/\.$/, '')})`;
  } catch {
    return '';
  }
}

function advice(status: number): string {
  if (status === 401) return ' Set COOLIFY_API_TOKEN to a token of it.';
  if (status === 403) return ' The token needs the permissions read, write, deploy and read:sensitive, the API has to be enabled, and this address allowed.';
  if (status === 429) return ' It has too much to do: try again later.';
  return '';
}
