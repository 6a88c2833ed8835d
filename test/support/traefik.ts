import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import { request as requestByTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { freePort } from '../../infra/start/ports.js';
import type { EdgeSettings } from '../../libs/providers/edge/edge-settings.js';
import { VERSION_HOST } from '../../libs/providers/edge/served-version.js';
import type { RenderedDocument } from '../../libs/providers/traefik/render.js';

const POLL_MS = 100;
const TAKES_WITHIN_MS = 20_000;
const TOKEN = 'hp_of-traefik';

/** The real Traefik that the environment names; otherwise why there is none. */
export function realTraefik(env: NodeJS.ProcessEnv = process.env): { readonly program: string } | string {
  const program = env['HOSTPLANE_TEST_TRAEFIK'];
  if (!program) return 'set HOSTPLANE_TEST_TRAEFIK to the program of a Traefik 3';
  return existsSync(program) ? { program } : `HOSTPLANE_TEST_TRAEFIK names ${program}, which is not there`;
}

export interface TraefikOptions {
  readonly program: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly provider?: 'http' | 'file';
  /** Who Traefik itself believes when they say who a visitor is. */
  readonly trustedIps?: readonly string[];
  /** More of its own configuration, by the names of its flags. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** A real Traefik on loopback, that gets its documents as from a plane: over HTTP with a token, or in a file. */
export class Traefik {
  private readonly folder = mkdtempSync(join(tmpdir(), 'hostplane-traefik-'));
  private readonly plane: Server;
  private child: ChildProcess | undefined;
  private document = '';
  private apiPort = 0;
  /** What the plane answers; 200 unless it is told otherwise. */
  status = 200;
  polls = 0;

  constructor(private readonly options: TraefikOptions) {
    this.plane = createServer((request, response) => {
      this.polls++;
      const status = request.headers.authorization === `Bearer ${TOKEN}` ? this.status : 401;
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(status === 200 ? this.document : '{}');
    });
  }

  /** Starts it with a document; resolves once it serves that. */
  async start(document: RenderedDocument): Promise<void> {
    if (!this.plane.listening) await once(this.plane.listen(0, '127.0.0.1'), 'listening');
    this.put(document);
    this.apiPort = await freePort();
    const { program, httpPort, httpsPort, provider = 'http', trustedIps = [], flags = {}, env = {} } = this.options;
    const trust = trustedIps.length > 0 ? { 'entryPoints.web.forwardedHeaders.trustedIPs': trustedIps.join(), 'entryPoints.websecure.forwardedHeaders.trustedIPs': trustedIps.join() } : {};
    const source = provider === 'file'
      ? { 'providers.file.filename': this.file, 'providers.file.watch': 'true' }
      : { 'providers.http.endpoint': `http://127.0.0.1:${(this.plane.address() as AddressInfo).port}/`, 'providers.http.pollInterval': `${POLL_MS}ms`, 'providers.http.headers.Authorization': `Bearer ${TOKEN}` };
    const all = {
      'global.checkNewVersion': 'false', 'global.sendAnonymousUsage': 'false', 'providers.providersThrottleDuration': '50ms', 'log.level': 'WARN', 'log.format': 'json', 'log.filePath': this.log,
      'entryPoints.web.address': `127.0.0.1:${httpPort}`, 'entryPoints.websecure.address': `127.0.0.1:${httpsPort}`, 'entryPoints.traefik.address': `127.0.0.1:${this.apiPort}`, 'api.insecure': 'true', 'api.dashboard': 'false', ...trust, ...source, ...flags,
    };
    this.child = spawn(program, Object.entries(all).map(([name, value]) => `--${name}=${value}`), { cwd: this.folder, env: { PATH: process.env['PATH'], HOME: this.folder, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
    await this.serves(document.configHash);
  }

  /** Resolves once it serves this document. */
  async take(document: RenderedDocument): Promise<void> {
    this.put(document);
    await this.serves(document.configHash);
  }

  /** Whether each router of the document is in use, by its name. */
  async routers(): Promise<ReadonlyMap<string, string>> {
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}/api/http/routers?per_page=100000`);
    const routers = (await answer.json()) as { name: string; status: string; provider: string }[];
    return new Map(routers.filter(({ provider }) => provider !== 'internal').map(({ name, status }) => [name, status]));
  }

  /** What it warned of and complained about. It warns once, whatever it serves, of how it reads paths. */
  complaints(): string[] {
    const lines = existsSync(this.log) ? readFileSync(this.log, 'utf8').split('\n').filter(Boolean) : [];
    return lines.filter((line) => /"level":"(warn|error|fatal|panic)"/.test(line) && !line.includes('encoded characters'));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (child?.exitCode === null && child.signalCode === null && child.kill(signal)) await once(child, 'exit');
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    this.plane.close();
    this.plane.closeAllConnections();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get file(): string {
    return join(this.folder, 'hostplane.yml');
  }

  private get log(): string {
    return join(this.folder, 'traefik.log');
  }

  private put({ text }: RenderedDocument): void {
    this.document = text;
    writeFileSync(`${this.file}.new`, text);
    renameSync(`${this.file}.new`, this.file);
  }

  private async serves(configHash: string): Promise<void> {
    for (const end = Date.now() + TAKES_WITHIN_MS; (await this.servedHash()) !== configHash; await sleep(25)) {
      if (Date.now() > end || this.child?.exitCode !== null) throw new Error(`Traefik does not serve its document:\n${this.complaints().join('\n')}`);
    }
  }

  private servedHash(): Promise<string | undefined> {
    return new Promise((resolve) => {
      get({ host: '127.0.0.1', port: this.options.httpPort, headers: { host: VERSION_HOST }, agent: false }, (response) => {
        response.resume();
        resolve(response.headers['x-hostplane-hash'] as string | undefined);
      }).on('error', () => resolve(undefined));
    });
  }
}

/** Opens a websocket by HTTPS; the tunnel is raw. */
export function openWebsocketByTls({ bind, httpsPort }: EdgeSettings, host: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = { host, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': Buffer.from('0123456789abcdef').toString('base64') };
    const asked = requestByTls({ host: bind, port: httpsPort, servername: host, rejectUnauthorized: false, agent: false, headers });
    asked.on('upgrade', (_, socket) => resolve(socket)).on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode} instead of switching`)));
    asked.on('error', reject).end();
  });
}

/** Who vouches for a name: the common name of the issuer of the certificate that is shown for it. */
export async function issuerOf({ bind, httpsPort }: EdgeSettings, servername: string): Promise<string> {
  const socket = connect({ host: bind, port: httpsPort, servername, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { issuer } = socket.getPeerCertificate();
  socket.destroy();
  return String(issuer.CN);
}
