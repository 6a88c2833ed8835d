import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { cloudflareApi, failure } from './cloudflare-spec.js';
import { CloudflareOrigin } from './cloudflare-origin.js';
import { CloudflareTunnels } from './cloudflare-tunnels.js';
import { CloudflareZones } from './cloudflare-zones.js';
import type { Answered, Asked, DescribedApi } from './described-api.js';

/** What goes wrong with the next requests whose `<method> <path>` fits. `after`: the request was taken, and its answer never comes. `slow`: it comes after a while. */
export interface CloudflareFault {
  readonly on: RegExp;
  readonly kind: 'reset' | 'reset-after' | 'hang-before' | 'hang-after' | 'slow' | 'status' | 'status-after';
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  times: number;
}

export const CLOUDFLARE_TOKEN = 'a-token-of-cloudflare-that-nobody-may-see';
const ROOT = '/client/v4';
const SLOW_MS = 600;

/**
 * Cloudflare's API as a client sees it: zones, records, tunnels and origin certificates with state, every request and answer checked against its own description. Each further part of the
 * API is a file of its own that gives `operations()` by the description's ids.
 */
export class CloudflareStandIn {
  readonly zones = new CloudflareZones();
  readonly tunnels = new CloudflareTunnels();
  readonly origin = new CloudflareOrigin((name) => this.zones.holding(name)?.id);
  readonly faults: CloudflareFault[] = [];
  /** `<method> <path>` of all that was asked. */
  readonly asked: string[] = [];
  private readonly api: DescribedApi;

  private constructor(private readonly server: Server) {
    this.api = cloudflareApi({ ...this.zones.operations(), ...this.tunnels.operations(), ...this.origin.operations() });
  }

  static async start(...zones: string[]): Promise<CloudflareStandIn> {
    const server = createServer();
    const standIn = new CloudflareStandIn(server);
    for (const name of zones) standIn.zones.add(name);
    server.on('request', (request, response) => void standIn.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${ROOT}`;
  }

  /** Requests and answers that do not fit Cloudflare's description. */
  get violations(): readonly string[] {
    return this.api.violations;
  }

  fail(on: RegExp, kind: CloudflareFault['kind'], more: Partial<CloudflareFault> = {}): void {
    this.faults.push({ on, kind, times: 1, ...more });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', this.url);
    const text = Buffer.concat(chunks).toString();
    const asked: Asked = { method: request.method ?? 'GET', path: url.pathname, query: Object.fromEntries(url.searchParams), headers: request.headers as Record<string, string>, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    const name = `${asked.method} ${asked.path.replace(ROOT, '')}`;
    this.asked.push(name);
    const fault = this.faults.find((one) => one.times > 0 && one.on.test(name));
    if (fault) fault.times--;
    if (fault?.kind === 'reset') return void request.socket.destroy();
    if (fault?.kind === 'hang-before') return;
    if (fault?.kind === 'slow') await sleep(SLOW_MS);
    const answer = fault?.kind === 'status' ? { ...failure(fault.status!, 10_013, 'Injected.'), ...(fault.headers && { headers: fault.headers }) } : await this.allowed(asked);
    await this.zones.settled();
    if (fault?.kind === 'reset-after') return void request.socket.destroy();
    if (fault?.kind === 'hang-after') return;
    if (fault?.kind === 'status-after') return void response.writeHead(fault.status!).end('<h1>error code: 502</h1>');
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(JSON.stringify(answer.body));
  }

  private async allowed(asked: Asked): Promise<Answered> {
    if (asked.headers['authorization'] !== `Bearer ${CLOUDFLARE_TOKEN}`) return failure(403, 9_109, 'Invalid access token');
    return this.api.handle(asked);
  }
}
