import { mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { reached } from '#contracts/probe.js';
import type { AppliedEdge, EdgeProvider, RouteTable } from '../edge.js';
import { ApplyQueue } from '../edge/apply-queue.js';
import { ensureCertificate } from '../edge/certificate.js';
import { CertificateFiles } from '../edge/certificate-files.js';
import { DEFAULT_MAX_BODY_BYTES, DEFAULT_TARGET_TIMEOUT_MS, type EdgeSettings } from '../edge/edge-settings.js';
import { pages, type EdgePage } from '../edge/pages.js';
import { Ranges } from '../edge/proxies.js';
import { PROOF_PATH, ProofFiles } from '../edge/proof-files.js';
import { isRouteTable, placesOf, renderPlaces, type Place } from '../edge/route-table.js';
import { certificateByName, certificateFor } from '../edge/served-names.js';
import { askVersion, VERSION_HOST, versionAnswer } from '../edge/served-version.js';
import { writeWhole } from '../write-whole.js';
import { ProviderError } from '../provider-error.js';
import { answerMoved, answerPage, answerPlain, refuseUpgrade } from './answers.js';
import { ContainerProxy } from './container-proxy.js';
import { turnedAway, type Turned } from './gate.js';
import { Listeners } from './listeners.js';
import { serveFile } from './site-files.js';
import { readHost, type Asking } from './visitor-host.js';

interface Serving extends AppliedEdge {
  readonly places: ReadonlyMap<string, Place>;
  readonly certificates: ReadonlyMap<string, string>;
}

const EMPTY: RouteTable = { revision: 0, routes: [] };

/**
 * An edge inside of the provisioner, for machines without nginx. A table takes effect in one step and is kept in the file `table.json`; requests
 * that have begun go to the end where they were sent. It serves for as long as its process lives.
 */
export class EmbeddedEdge implements EdgeProvider {
  readonly name = 'embedded';
  readonly features = { proxyProtocol: false };
  readonly certificates: CertificateFiles;
  readonly proofs: ProofFiles;
  private serving: Serving | undefined;
  private readonly listeners: Listeners;
  private readonly proxy: ContainerProxy;
  private readonly proxies: Ranges;
  private readonly queue = new ApplyQueue((table) => this.replace(table));

  constructor(private readonly settings: EdgeSettings) {
    this.listeners = new Listeners(settings);
    this.proxies = new Ranges(settings.proxyRanges ?? []);
    this.certificates = new CertificateFiles(join(settings.folder, 'tls'), () => Promise.resolve(undefined));
    this.proofs = new ProofFiles(join(settings.folder, 'proofs'));
    this.proxy = new ContainerProxy(settings.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES, settings.targetTimeoutMs ?? DEFAULT_TARGET_TIMEOUT_MS);
  }

  /** It needs nothing but itself. */
  available(): Promise<true | string> {
    return Promise.resolve(true);
  }

  start(): Promise<void> {
    return this.queue.alone(() => this.open());
  }

  apply(table: RouteTable): Promise<AppliedEdge> {
    return this.queue.apply(table);
  }

  async served(): Promise<AppliedEdge | undefined> {
    const version = await askVersion(this.settings);
    return version && { revision: version.revision, configHash: version.configHash };
  }

  rendering(): Promise<Readonly<Record<string, unknown>>> {
    const { planeId, bind, httpPort, httpsPort } = this.settings;
    return Promise.resolve({ planeId, bind, httpPort, httpsPort });
  }

  stop(): Promise<void> {
    return this.queue.alone(() => this.listeners.close());
  }

  private async open(): Promise<void> {
    if (this.listeners.areOpen) return;
    await mkdir(this.settings.folder, { recursive: true, mode: 0o755 });
    this.serving ??= servingOf((await this.lastTable()) ?? EMPTY);
    const { certFile, keyFile } = await ensureCertificate(this.settings.folder, this.settings.baseDomain);
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    await this.listeners.open({ request: this.answer.bind(this), upgrade: this.answerUpgrade.bind(this) }, { cert, key }, (name) => this.certificateOf(name));
  }

  private async replace(table: RouteTable): Promise<AppliedEdge> {
    await this.open();
    const old = this.serving!;
    if (old.revision > table.revision) return { revision: old.revision, configHash: old.configHash };
    const next = servingOf(table);
    reached('embedded:store');
    await writeWhole(join(this.settings.folder, 'table.json'), JSON.stringify(table), 0o600);
    reached('embedded:switch');
    this.serving = next;
    reached('embedded:confirm');
    const served = await this.served();
    if (served?.configHash === next.configHash) return served;
    throw new ProviderError(`The edge does not answer on port ${this.settings.httpPort} at ${this.settings.bind}.`, true);
  }

  private async lastTable(): Promise<RouteTable | undefined> {
    const text = await readFile(join(this.settings.folder, 'table.json'), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      const table: unknown = JSON.parse(text);
      if (isRouteTable(table) && placesOf(table)) return table;
    } catch (error) {
      this.settings.log?.(`The edge's last table cannot be read and is left out: ${String(error)}`);
    }
    return undefined;
  }

  private answer(request: IncomingMessage, response: ServerResponse, connection: 'http' | 'https'): void {
    const visitor = readHost(request, connection, this.proxies);
    if (!visitor) return answerPlain(request, response, 400);
    if (visitor.hostname === VERSION_HOST && visitor.isOwnMachine) return this.answerVersion(response);
    if (request.url?.startsWith(PROOF_PATH)) void this.answerProof(request, response, visitor);
    else this.answerPlace(request, response, visitor);
  }

  private async answerProof(request: IncomingMessage, response: ServerResponse, visitor: Asking): Promise<void> {
    const text = await this.proofs.answer(request.url ?? '');
    if (text === undefined) return this.answerPlace(request, response, visitor);
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text) });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  /** Key and chain for a name; undefined: the one that is for every other name. */
  private async certificateOf(name: string): Promise<string | undefined> {
    const id = certificateFor(this.serving!.certificates, name);
    return id === undefined ? undefined : this.certificates.read(id).catch(() => undefined);
  }

  private answerPlace(request: IncomingMessage, response: ServerResponse, visitor: Asking): void {
    const place = this.serving!.places.get(visitor.hostname);
    if (place?.rules?.hsts !== undefined && visitor.scheme === 'https') response.setHeader('Strict-Transport-Security', place.rules.hsts);
    void this.enter(request, visitor, place, {
      turned: ({ page, headers }) => answerPage(request, response, page, headers),
      allowed: () => this.show(request, response, visitor, place),
    }).catch(() => answerPlain(request, response, 500));
  }

  private async show(request: IncomingMessage, response: ServerResponse, visitor: Asking, place: Place | undefined): Promise<void> {
    if (place?.kind === 'container') return this.proxy.pass(request, response, place, visitor, place.rules);
    if (place?.kind === 'redirect') return answerMoved(request, response, place, visitor);
    if (place?.kind === 'files') return serveFile(request, response, join(this.settings.sitesFolder, place.root), place.rules?.pages[404]);
    answerPage(request, response, pageOf(place));
  }

  private answerUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, connection: 'http' | 'https'): void {
    socket.on('error', () => socket.destroy());
    const visitor = readHost(request, connection, this.proxies);
    const place = visitor && this.serving!.places.get(visitor.hostname);
    if (!visitor || !place) return refuseUpgrade(socket, pages.unknown);
    void this.enter(request, visitor, place, {
      turned: ({ page, headers }) => refuseUpgrade(socket, page, headers),
      allowed: async () => (place.kind === 'container' ? this.proxy.passUpgrade(request, socket, head, place, visitor, place.rules) : refuseUpgrade(socket, pageOf(place))),
    }).catch(() => socket.destroy());
  }

  /** Most places have no rules, and their visitors do not wait. */
  private async enter(request: IncomingMessage, visitor: Asking, place: Place | undefined, then: { turned(turned: Turned): void; allowed(): Promise<void> }): Promise<void> {
    const turned = place?.rules && (await turnedAway(request, visitor, visitor.hostname, place.rules, place.kind === 'redirect', this.settings.httpsPort));
    return turned ? then.turned(turned) : then.allowed();
  }

  private answerVersion(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close' });
    response.end(versionAnswer(this.settings.planeId, this.serving!, process.pid));
  }
}

function servingOf(table: RouteTable): Serving {
  const places = placesOf(table);
  const certificates = certificateByName(table);
  const { configHash } = renderPlaces(table.revision, places, certificates);
  return { revision: table.revision, configHash, places: new Map(places.map(({ hostname, place }) => [hostname, place])), certificates };
}

/** What to say where there is nothing to serve; a folder takes no websockets. */
function pageOf(place: Place | undefined): EdgePage {
  if (place === undefined) return pages.unknown;
  if (place.kind !== 'stopped') return pages.missing;
  const own = place.rules?.pages[503];
  return own ? { status: 503, html: own.html } : pages.stopped;
}
