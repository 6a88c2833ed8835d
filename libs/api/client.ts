import { problem, ProblemError } from './problem.js';
import { type BodyOf, pathOf, type RequestOf, type Route } from './route.js';
import { type RouteName, routes, type Routes } from './routes.js';

export interface ClientOptions {
  /** Where the gateway listens, for example http://127.0.0.1:7080. */
  readonly url: string;
  readonly token?: string;
  readonly userAgent?: string;
  /** How often a request is sent again when the plane is not available, where that does nothing twice; 4 if left out. */
  readonly retries?: number;
}

/** What fetch sends as a body. */
export type Body = NonNullable<RequestInit['body']>;

export interface CallOptions {
  /** Idempotency-Key; made at random when left out, the same for every retry. */
  readonly key?: string;
  readonly signal?: AbortSignal;
  /** In place of the client's own. */
  readonly retries?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer<T> {
  readonly status: number;
  readonly location?: string;
  readonly body: T;
}

/** Nobody answers at the URL, or not in a way that is ours. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

interface Sending {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  /** Made anew for each attempt; undefined can't be sent twice. */
  readonly body?: () => Body | undefined;
  readonly retries: number;
  readonly signal?: AbortSignal;
}

/** Speaks the routes table. Throws ProblemError for a problem response and UnreachableError when nobody answers. */
export class ApiClient {
  readonly url: string;
  constructor(private readonly options: ClientOptions) {
    this.url = options.url.replace(/\/+$/, '');
  }

  async call<N extends RouteName>(name: N, request: RequestOf<Routes[N]>, options: CallOptions = {}): Promise<Answer<BodyOf<Routes[N]>>> {
    const route: Route = routes[name];
    const given = request as { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown };
    const body = given.body === undefined ? undefined : JSON.stringify(given.body);
    const response = await this.send({
      method: route.method,
      url: this.url + pathOf(route, given.params) + queryOf(given.query),
      headers: { ...this.headers(route, options), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: () => body,
      retries: this.retriesOf(route, options),
      signal: options.signal,
    });
    return answerOf<BodyOf<Routes[N]>>(response, route);
  }

  /** Publishes an archive. `archive` is called once an attempt, so that an upload can be sent again from its beginning. */
  async publish(
    siteId: string,
    archive: () => Body,
    options: CallOptions & { contentType?: string; wait?: boolean } = {},
  ): Promise<Answer<BodyOf<Routes['publishContent']>>> {
    const route: Route = routes.publishContent;
    const response = await this.send({
      method: route.method,
      url: this.url + pathOf(route, { id: siteId }),
      headers: { ...this.headers(route, options), 'content-type': options.contentType ?? 'application/octet-stream', ...(options.wait ? {} : { prefer: 'respond-async' }) },
      body: archive,
      retries: this.retriesOf(route, options),
      signal: options.signal,
    });
    return answerOf<BodyOf<Routes['publishContent']>>(response, route);
  }

  /** Opens a route whose answer is read as it comes, such as the stream of events. */
  async open(name: RouteName, query: Record<string, unknown>, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    const route: Route = routes[name];
    const response = await this.send({
      method: route.method, url: this.url + pathOf(route) + queryOf(query), headers: { ...this.headers(route, {}), ...headers }, retries: 0, signal,
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  private lost(method: string, error: unknown): string {
    const what = `Nobody answers at ${this.url}: ${reasonOf(error)}.`;
    return method === 'GET' || isRefused(error) ? what : `${what} The request may have been carried out all the same: look before it is sent again.`;
  }

  /** What has no key would be done each time that it is sent. */
  private retriesOf({ method, idempotent }: Route, { retries = this.options.retries ?? 4 }: CallOptions): number {
    return method === 'GET' || idempotent ? retries : 0;
  }

  private headers(route: Route, options: CallOptions): Record<string, string> {
    return {
      accept: 'application/json, application/problem+json',
      ...(this.options.token ? { authorization: `Bearer ${this.options.token}` } : {}),
      ...(this.options.userAgent ? { 'user-agent': this.options.userAgent } : {}),
      ...(route.idempotent ? { 'idempotency-key': options.key ?? crypto.randomUUID() } : {}),
      ...options.headers,
    };
  }

  private async send(sending: Sending): Promise<Response> {
    const { method, url, headers, signal } = sending;
    for (let attempt = 0; ; attempt++) {
      const isLast = attempt >= sending.retries;
      const response = await fetch(url, { method, headers, body: sending.body?.(), signal, duplex: 'half' }).catch((error: unknown) => {
        if (signal?.aborted) throw error;
        if (isLast || isRefused(error)) throw new UnreachableError(this.lost(method, error), { cause: error });
        return undefined;
      });
      if (response && (response.status !== 503 || isLast || !isProblem(response))) return response;
      const askedSeconds = Number(response?.headers.get('retry-after') ?? 0);
      await response?.body?.cancel();
      await pause(Math.max(250 * 2 ** attempt, Math.min(askedSeconds, 10) * 1000), signal);
    }
  }
}

function queryOf(query: Record<string, unknown> = {}): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined);
  return entries.length ? `?${new URLSearchParams(entries.map(([name, value]) => [name, String(value)] as [string, string])).toString()}` : '';
}

function isProblem(response: Response): boolean {
  return response.headers.get('content-type')?.includes('application/problem+json') ?? false;
}

/** Health answers 503 with a body of its own; any other failure that is no problem is not ours. */
async function answerOf<T>(response: Response, { answers }: Route): Promise<Answer<T>> {
  if (isProblem(response) || (!response.ok && !(response.status in answers))) throw await problemOf(response);
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  const location = response.headers.get('location') ?? undefined;
  const body = (isJson ? await response.json() : await response.text()) as T;
  return { status: response.status, ...(location ? { location } : {}), body };
}

async function problemOf(response: Response): Promise<Error> {
  const parsed = problem.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) return new UnreachableError(`What answers at ${response.url} is not Hostplane (HTTP ${response.status}).`);
  const { code, detail, errors, requestId } = parsed.data;
  return new ProblemError(code, detail, { errors, requestId, retryAfterSeconds: Number(response.headers.get('retry-after')) || undefined });
}

function isRefused(error: unknown): boolean {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ERR_INVALID_URL'].includes(causeOf(error).code ?? '');
}

function reasonOf(error: unknown): string {
  const { code, message } = causeOf(error);
  return code === 'ECONNREFUSED' ? 'the connection was refused' : message || code || 'the connection failed';
}

function causeOf(error: unknown): { code?: string; message: string } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause as { code?: string; message: string };
}

function pause(waitMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, waitMs);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
