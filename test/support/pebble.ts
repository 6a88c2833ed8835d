import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { pebbleProgram } from '../../infra/start/machine.js';
import { freePort } from '../../infra/start/ports.js';
import { AcmeFront, type Answer } from './acme-front.js';

const STARTS_WITHIN_MS = 20_000;

export interface PebbleOptions {
  /** address:port of the resolver that it asks. */
  readonly dns: string;
  /** Port at which it looks for HTTP proofs. */
  readonly httpPort: number;
  /** Lifetime of what it issues, in seconds; 90 days unless told. */
  readonly lifetimeSeconds?: number;
  /** Accounts are only for who knows this key (external account binding), base64url. */
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  readonly blocked?: readonly string[];
  /** It refuses no nonce that it gave out. */
  readonly isSteady?: boolean;
}

/** A real certificate authority of a test's own, on loopback: it looks at proofs, refuses one nonce in twenty, wants each order proven anew, and keeps nothing over a restart. */
export class Pebble {
  private said = '';
  private front!: AcmeFront;
  /** Paths of all authorizations that were handed out. */
  private readonly given = new Set<string>();
  private refusedOrders = 0;

  private constructor(
    private readonly folder: string,
    /** File with the certificate that the directory itself is served with. */
    readonly caFile: string,
    /** The same as PEM. */
    readonly ca: string,
    readonly keyFile: string,
    private readonly managementUrl: string,
    private readonly child: ChildProcess,
  ) {}

  static async start({ dns, httpPort, lifetimeSeconds = 90 * 86_400, eab, blocked = [], isSteady = false }: PebbleOptions): Promise<Pebble> {
    const folder = mkdtempSync(join(tmpdir(), 'hostplane-pebble-'));
    const [port, management, tlsPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const own = await generate([{ name: 'commonName', value: 'pebble' }], { keyType: 'ec', curve: 'P-256', extensions: [{ name: 'basicConstraints', cA: true }, { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }] });
    const [caFile, keyFile, config] = ['ca.pem', 'ca.key', 'pebble.json'].map((name) => join(folder, name)) as [string, string, string];
    writeFileSync(caFile, own.cert);
    writeFileSync(keyFile, own.private);
    const pebble = {
      listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${management}`, certificate: caFile, privateKey: keyFile, httpPort, tlsPort, ocspResponderURL: '', domainBlocklist: blocked, keyAlgorithm: 'ecdsa',
      externalAccountBindingRequired: eab !== undefined, ...(eab && { externalAccountMACKeys: { [eab.kid]: eab.hmacKey } }), retryAfter: { authz: 1, order: 1 },
      profiles: { default: { description: 'one for all', validityPeriod: lifetimeSeconds } },
    };
    writeFileSync(config, JSON.stringify({ pebble }));
    const child = spawn(pebbleProgram(), ['-config', config, '-dnsserver', dns], { env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0', ...(isSteady && { PEBBLE_WFE_NONCEREJECT: '0' }) }, stdio: ['ignore', 'pipe', 'ignore'] });
    const started = new Pebble(folder, caFile, own.cert, keyFile, `https://127.0.0.1:${management}`, child);
    started.front = await AcmeFront.before({ directoryUrl: `https://127.0.0.1:${port}/dir`, ca: own.cert, keyFile }, (asked, body) => started.answer(asked, body));
    child.stdout.on('data', (bytes: Buffer) => (started.said += bytes.toString()));
    for (const end = Date.now() + STARTS_WITHIN_MS; ; await sleep(50)) {
      if (await started.root().then(() => true, () => false)) return started;
      if (Date.now() > end || child.exitCode !== null) throw new Error('pebble does not start.');
    }
  }

  get directoryUrl(): string {
    return this.front.directoryUrl;
  }

  /** How many orders it has taken, and how many certificates it has issued, by its own log. */
  counts(): { readonly orders: number; readonly issued: number } {
    const count = (line: RegExp) => this.said.match(line)?.length ?? 0;
    return { orders: count(/ Added order /g) - this.refusedOrders, issued: count(/ Issued certificate serial /g) };
  }

  /** The root that visitors have to trust, PEM. */
  root(): Promise<string> {
    return this.fetch('/roots/0');
  }

  /** Whether it has revoked a certificate, by its serial in hex. */
  async isRevoked(serial: string): Promise<boolean> {
    return (JSON.parse(await this.fetch(`/cert-status-by-serial/${serial}`)) as { Status: string }).Status === 'Revoked';
  }

  /** Suggests a time for the renewal of a certificate (RFC 9773). */
  async suggestRenewal(certificate: string, window: { start: string; end: string }): Promise<void> {
    await this.fetch('/set-renewal-info/', JSON.stringify({ certificate, ariResponse: JSON.stringify({ suggestedWindow: window }) }));
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    if (this.child.exitCode === null && this.child.kill('SIGTERM')) await ended;
    await this.front.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** One order in a hundred takes up what another has proven: of all numbers below 100, 0 is not above the 0 % that it is told. Such an order has to be placed again. */
  private async answer(asked: IncomingMessage, body: Buffer): Promise<Answer> {
    const answer = await this.front.pass(asked, body);
    if (answer.status !== 201 || asked.url !== '/order-plz') return answer;
    const proven = (JSON.parse(answer.body.toString()) as { authorizations: string[] }).authorizations.map((url) => new URL(url).pathname);
    if (proven.some((path) => this.given.has(path))) {
      this.refusedOrders++;
      return this.front.unknownNonce(asked);
    }
    for (const path of proven) this.given.add(path);
    return answer;
  }

  private async fetch(path: string, body?: string): Promise<string> {
    const asked = request(`${this.managementUrl}${path}`, { method: body === undefined ? 'GET' : 'POST', ca: this.ca, agent: false, headers: { 'user-agent': 'hostplane-test' } });
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const said = await text(response);
    if (response.statusCode !== 200) throw new Error(`pebble answers ${path} with ${response.statusCode}: ${said}`);
    return said;
  }
}
