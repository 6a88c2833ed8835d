import type { IncomingMessage } from 'node:http';
import { AcmeFront, problem, type Answer } from './acme-front.js';
import type { Pebble } from './pebble.js';

/** What goes wrong with a call. `cut-after` and `hang-after`: the authority did it, and nobody heard; of `half` and `nothing` an answer came that is no use. */
export const acmeFaults = ['fails', 'is-busy', 'limits', 'refuses', 'bad-nonce', 'half', 'nothing', 'cut-before', 'cut-after', 'hang-after'] as const;
export type AcmeFault = (typeof acmeFaults)[number];

/** What good answers of a kind say besides: when to ask again, and for the first of them, that it is not done yet. */
interface Patience {
  readonly kind: string;
  readonly retryAfter: string;
  readonly status: string;
  left: number;
}

interface Rule {
  readonly kind: string;
  readonly fault: AcmeFault;
  /** It is the nth call of its kind from now that meets the fault. */
  left: number;
}

/** Kinds of calls by the first part of pebble's paths; one that is not among them has its own path as its kind. */
const KINDS: Readonly<Record<string, string>> = {
  dir: 'directory', 'nonce-plz': 'newNonce', 'sign-me-up': 'newAccount', 'my-account': 'account', 'order-plz': 'newOrder', authZ: 'authorization', chalZ: 'challenge', 'my-order': 'order',
  'finalize-order': 'finalize', certZ: 'certificate', 'revoke-cert': 'revokeCert', 'draft-ietf-acme-ari-03': 'renewalInfo',
};
/** Where an order is: what it is looked at for follows from the last of these calls. */
const STAGES = new Set(['newOrder', 'challenge', 'finalize']);
/** What is signed has a nonce. */
export const isSigned = (kind: string): boolean => !['directory', 'newNonce', 'renewalInfo'].includes(kind);

/** Stands between a client and pebble, counts calls by their kind, and has some of them fail. */
export class AcmeProxy {
  /** PEM of what it is served with. */
  readonly ca: string;
  /** Kinds of the calls that came, in their order. */
  readonly seen: string[] = [];
  /** Which of them met which fault. */
  readonly met: { readonly kind: string; readonly fault: AcmeFault }[] = [];
  /** What the authority made of them, by their kinds: accounts, orders. */
  readonly made: string[] = [];
  private rules: Rule[] = [];
  private patience: Patience[] = [];
  /** For the first call of each kind that is not known yet. */
  private upcoming: AcmeFault[] = [];
  private known = new Set<string>();
  private stage = '';
  private front!: AcmeFront;

  private constructor(
    pebble: Pebble,
    /** What its Retry-After asks for. */
    public patienceSeconds: number,
  ) {
    this.ca = pebble.ca;
  }

  static async before(pebble: Pebble, patienceSeconds: number): Promise<AcmeProxy> {
    const proxy = new AcmeProxy(pebble, patienceSeconds);
    proxy.front = await AcmeFront.before(pebble, (asked, body) => proxy.answer(asked, body));
    return proxy;
  }

  get directoryUrl(): string {
    return this.front.directoryUrl;
  }

  /** The nth call of a kind from now meets a fault, once. */
  fail(kind: string, fault: AcmeFault, nth = 1): void {
    this.rules.push({ kind, fault, left: nth });
  }

  /** Good answers of a kind have this Retry-After. With a status, the first of them says that it is still so. */
  asksForPatience(kind: string, retryAfter: string, status = ''): void {
    this.patience.push({ kind, retryAfter, status, left: status === '' ? Infinity : 1 });
  }

  /** From now on each kind of call but these meets one fault when it first comes, each the next of the faults, and again from the first one. */
  failEachKindOnce(faults: readonly AcmeFault[], but: readonly string[] = []): void {
    this.known = new Set(but);
    this.upcoming = [...faults];
  }

  /** An authority that knows nothing of what was before takes the place of the other one. */
  turnTo(pebble: Pebble): void {
    this.front.turnTo(pebble);
  }

  forget(): void {
    this.seen.length = this.met.length = this.made.length = this.rules.length = this.patience.length = this.upcoming.length = 0;
    this.stage = '';
  }

  close(): Promise<void> {
    return this.front.close();
  }

  private async answer(asked: IncomingMessage, body: Buffer): Promise<Answer | undefined> {
    const kind = this.kindOf(asked, body);
    this.seen.push(kind);
    const fault = this.faultFor(kind);
    if (fault) this.met.push({ kind, fault });
    if (fault === 'cut-before') return void asked.socket.destroy();
    const refusal = fault && (await this.refusalOf(fault, asked));
    if (refusal) return refusal;
    const answer = this.patiently(kind, await this.front.pass(asked, body));
    if (answer.status === 201) this.made.push(kind);
    if (fault === 'cut-after') return void asked.socket.destroy();
    if (fault === 'hang-after') return undefined;
    return fault === 'half' || fault === 'nothing' ? useless(fault, answer) : answer;
  }

  private patiently(kind: string, answer: Answer): Answer {
    const found = this.patience.find((one) => one.kind === kind && one.left > 0);
    if (!found || answer.status !== 200) return answer;
    found.left--;
    const body = found.status === '' ? answer.body : Buffer.from(JSON.stringify({ ...(JSON.parse(answer.body.toString()) as object), status: found.status }));
    return { ...answer, headers: { ...answer.headers, 'retry-after': found.retryAfter }, body };
  }

  /** What was asked for, and at which point of an order where it is asked for at several. */
  private kindOf({ method, url = '/' }: IncomingMessage, body: Buffer): string {
    const kind = KINDS[url.split('/')[1] ?? ''] ?? url;
    if (method !== 'POST') return kind;
    const { payload } = JSON.parse(body.toString()) as { payload: string };
    const said = (payload === '' ? {} : JSON.parse(Buffer.from(payload, 'base64url').toString())) as Record<string, unknown>;
    const stage = this.stage;
    const full = `${kind}${said['onlyReturnExisting'] === true ? ' that only finds' : ''}${said['externalAccountBinding'] ? ' with a binding' : ''}${said['replaces'] ? ' that replaces' : ''}${kind === 'account' && payload !== '' ? ' that is changed' : ''}`;
    if (STAGES.has(kind)) this.stage = kind;
    return kind === 'order' ? `${full} after ${stage}` : full;
  }

  private faultFor(kind: string): AcmeFault | undefined {
    for (const rule of this.rules) if (rule.kind === kind && rule.left > 0 && --rule.left === 0) return rule.fault;
    if (this.upcoming.length === 0 || this.known.has(kind)) return undefined;
    this.known.add(kind);
    const fault = this.upcoming.shift()!;
    this.upcoming.push(fault);
    return fault === 'bad-nonce' && !isSigned(kind) ? 'fails' : fault;
  }

  private async refusalOf(fault: AcmeFault, asked: IncomingMessage): Promise<Answer | undefined> {
    const patience = { 'retry-after': String(this.patienceSeconds) };
    if (fault === 'fails') return problem(500, 'serverInternal', 'Injected: out of order.');
    if (fault === 'is-busy') return { status: 503, headers: { ...patience, 'content-type': 'text/html' }, body: Buffer.from('<h1>Down for maintenance</h1>') };
    if (fault === 'limits') return problem(429, 'rateLimited', 'Injected: too much was asked.', patience);
    if (fault === 'refuses') return problem(403, 'unauthorized', 'Injected: not for you.');
    return fault === 'bad-nonce' ? this.front.unknownNonce(asked) : undefined;
  }
}

/** The head of what was answered, with half of the body or an empty object; of an answer without a body the nonce is lost. */
function useless(fault: 'half' | 'nothing', { status, headers, body }: Answer): Answer {
  const { 'replay-nonce': _, ...rest } = headers;
  if (body.length === 0) return { status, headers: rest, body };
  return { status, headers, body: fault === 'half' ? body.subarray(0, body.length / 2) : Buffer.from('{}') };
}
