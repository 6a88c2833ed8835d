import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { once } from 'node:events';
import type { Pebble } from './pebble.js';

/** What goes wrong with a call. `cut-after` and `hang-after`: the authority did it, and nobody heard; of `half` and `nothing` an answer came that is no use. */
export const acmeFaults = ['fails', 'is-busy', 'limits', 'refuses', 'bad-nonce', 'half', 'nothing', 'cut-before', 'cut-after', 'hang-after'] as const;
export type AcmeFault = (typeof acmeFaults)[number];

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

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
const PROBLEM = 'urn:ietf:params:acme:error:';

/**
 * Stands between a client and pebble, counts calls by their kind, and has some of them fail. An authority names its resources by the host that it was asked for, and looks at
 * the address that a call is signed for: so the client's own Host is passed on, and all that pebble names leads through here.
 */
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
  private readonly agent = new Agent({ keepAlive: true });

  private constructor(
    private pebble: Pebble,
    private readonly server: Server,
    /** What its Retry-After asks for. */
    public patienceSeconds: number,
  ) {
    this.ca = pebble.ca;
  }

  /** It is served with pebble's own certificate. */
  static async before(pebble: Pebble, patienceSeconds: number): Promise<AcmeProxy> {
    const server = createServer({ cert: pebble.ca, key: readFileSync(pebble.keyFile) });
    const proxy = new AcmeProxy(pebble, server, patienceSeconds);
    server.on('request', (asked, response) => void proxy.answer(asked, response).catch(() => asked.socket.destroy()));
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return proxy;
  }

  get directoryUrl(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}${new URL(this.pebble.directoryUrl).pathname}`;
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
    this.pebble = pebble;
  }

  forget(): void {
    this.seen.length = this.met.length = this.made.length = this.rules.length = this.patience.length = this.upcoming.length = 0;
    this.stage = '';
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.agent.destroy();
    await new Promise((closed) => this.server.close(closed));
  }

  private async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(asked);
    const kind = this.kindOf(asked, body);
    this.seen.push(kind);
    const fault = this.faultFor(kind);
    if (fault) this.met.push({ kind, fault });
    if (fault === 'cut-before') return void asked.socket.destroy();
    const refusal = fault && (await this.refusalOf(fault, asked));
    if (refusal) return send(response, refusal);
    const answer = this.patiently(kind, await this.pass(asked.method ?? 'GET', asked.url ?? '/', asked.headers, body));
    if (answer.status === 201) this.made.push(kind);
    if (fault === 'cut-after') return void asked.socket.destroy();
    if (fault === 'hang-after') return;
    send(response, fault === 'half' || fault === 'nothing' ? useless(fault, answer) : answer);
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

  private async refusalOf(fault: AcmeFault, { headers }: IncomingMessage): Promise<Answer | undefined> {
    const patience = { 'retry-after': String(this.patienceSeconds) };
    if (fault === 'fails') return problem(500, 'serverInternal', 'Injected: out of order.');
    if (fault === 'is-busy') return { status: 503, headers: { ...patience, 'content-type': 'text/html' }, body: Buffer.from('<h1>Down for maintenance</h1>') };
    if (fault === 'limits') return problem(429, 'rateLimited', 'Injected: too much was asked.', patience);
    if (fault === 'refuses') return problem(403, 'unauthorized', 'Injected: not for you.');
    if (fault !== 'bad-nonce') return undefined;
    const fresh = await this.pass('HEAD', '/nonce-plz', headers, Buffer.alloc(0));
    return problem(400, 'badNonce', 'Injected: unknown nonce.', { 'replay-nonce': String(fresh.headers['replay-nonce']) });
  }

  private async pass(method: string, path: string, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
    const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...kept } = headers;
    const asked = request(new URL(path, this.pebble.directoryUrl), { method, ca: this.pebble.ca, agent: this.agent, headers: { ...kept, 'content-length': body.length } });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) };
  }
}

function problem(status: number, kind: string, detail: string, headers: IncomingHttpHeaders = {}): Answer {
  return { status, headers: { ...headers, 'content-type': 'application/problem+json' }, body: Buffer.from(JSON.stringify({ type: `${PROBLEM}${kind}`, detail, status })) };
}

/** The head of what was answered, with half of the body or an empty object; of an answer without a body the nonce is lost. */
function useless(fault: 'half' | 'nothing', { status, headers, body }: Answer): Answer {
  const { 'replay-nonce': _, ...rest } = headers;
  if (body.length === 0) return { status, headers: rest, body };
  return { status, headers, body: fault === 'half' ? body.subarray(0, body.length / 2) : Buffer.from('{}') };
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...kept } = headers;
  response.writeHead(status, kept).end(body);
}
