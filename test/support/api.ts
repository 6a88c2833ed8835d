import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { restMs } from './rest.js';

export interface Reply<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface SiteView extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly url: string;
  readonly operationId: string;
  readonly lastError?: string;
}

/** The public API as an outsider sees it: plain HTTP, no code of ours. */
export class Api {
  constructor(
    readonly base: string,
    readonly token: string,
  ) {}

  as(token: string): Api {
    return new Api(this.base, token);
  }

  async call<T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply<T>> {
    const isBytes = body instanceof Uint8Array;
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body !== undefined && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }), ...headers },
      ...(body !== undefined && { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === '' ? {} : text.startsWith('{') ? JSON.parse(text) : { text }) as T };
  }

  async site(id: string): Promise<SiteView> {
    return (await this.call<SiteView>('GET', `/sites/${id}`)).body;
  }

  /** Polls until the site has one of these statuses; fails with what it has after the timeout. The plane may be away meanwhile. */
  async settled(id: string, statuses: readonly string[], timeoutMs = 60_000): Promise<SiteView> {
    let last: SiteView | undefined;
    for (const began = Date.now(); Date.now() < began + timeoutMs; await sleep(restMs(began))) {
      const reply = await this.call<SiteView>('GET', `/sites/${id}`).catch(() => undefined);
      last = reply?.body ?? last;
      if (reply && statuses.includes(reply.body.status)) return reply.body;
    }
    throw new Error(`The site ${id} is not ${statuses.join(' or ')} after ${timeoutMs} ms: ${JSON.stringify(last)}`);
  }
}

export interface Visit {
  readonly status: number;
  readonly body: string;
  readonly headers: Record<string, string | string[] | undefined>;
}

export interface Sending {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** Visits a site as a browser would, whether or not the machine resolves names below localhost, and whoever signed its certificate. */
export function visit(url: string, headers: Record<string, string> = {}): Promise<Visit> {
  return send(url, { headers });
}

/** The same with any method and a body. */
export function send(url: string, { method = 'GET', headers = {}, body: sent = '' }: Sending): Promise<Visit> {
  const { protocol, hostname, port, pathname, search, host } = new URL(url);
  const tls = protocol === 'https:' ? { servername: hostname, rejectUnauthorized: false } : undefined;
  const address = hostname.endsWith('localhost') ? '127.0.0.1' : hostname;
  const length = method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(sent)) };
  return new Promise((resolve, reject) => {
    const options = { method, host: address, port, path: pathname + search, headers: { host, ...length, ...headers }, agent: false, timeout: 20_000, ...tls } as const;
    const asked = (tls ? requestTls : request)(options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    });
    asked.on('timeout', () => asked.destroy(new Error(`${url} did not answer within 20 s`)));
    asked.on('error', reject);
    asked.end(sent);
  });
}
