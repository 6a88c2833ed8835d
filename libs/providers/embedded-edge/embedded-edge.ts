import { mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { reached } from '#contracts/probe.js';
import type { AppliedEdge, EdgeProvider, RouteTable } from '../edge.js';
import { ApplyQueue } from '../edge/apply-queue.js';
import { ensureCertificate } from '../edge/certificate.js';
import { DEFAULT_MAX_BODY_BYTES, DEFAULT_TARGET_TIMEOUT_MS, type EdgeSettings } from '../edge/edge-settings.js';
import { pages, type EdgePage } from '../edge/pages.js';
import { hashOf, isRouteTable, placesOf, type Place, type Places } from '../edge/route-table.js';
import { askVersion, VERSION_HOST, versionAnswer } from '../edge/served-version.js';
import { writeWhole } from '../write-whole.js';
import { ProviderError } from '../provider-error.js';
import { answerMoved, answerPage, answerPlain, refuseUpgrade } from './answers.js';
import { ContainerProxy } from './container-proxy.js';
import { Listeners } from './listeners.js';
import { serveFile } from './site-files.js';
import { readHost } from './visitor-host.js';

interface Serving extends AppliedEdge {
  readonly places: Places;
}

const EMPTY: RouteTable = { revision: 0, routes: [] };

/**
 * An edge inside of the provisioner, for machines without nginx. A table takes effect in one step and is kept in the file `table.json`; requests
 * that have begun go to the end where they were sent. It serves for as long as its process lives.
 */
export class EmbeddedEdge implements EdgeProvider {
  readonly name = 'embedded';
  private serving: Serving | undefined;
  private readonly listeners: Listeners;
  private readonly proxy: ContainerProxy;
  private readonly queue = new ApplyQueue((table) => this.replace(table));

  constructor(private readonly settings: EdgeSettings) {
    this.listeners = new Listeners(settings);
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

  stop(): Promise<void> {
    return this.queue.alone(() => this.listeners.close());
  }

  private async open(): Promise<void> {
    if (this.listeners.areOpen) return;
    await mkdir(this.settings.folder, { recursive: true, mode: 0o755 });
    this.serving ??= servingOf((await this.lastTable()) ?? EMPTY);
    const { certFile, keyFile } = await ensureCertificate(this.settings.folder, this.settings.baseDomain);
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    await this.listeners.open({ request: this.answer.bind(this), upgrade: this.answerUpgrade.bind(this) }, { cert, key });
  }

  private async replace(table: RouteTable): Promise<AppliedEdge> {
    await this.open();
    const old = this.serving!;
    if (old.revision > table.revision) return { revision: old.revision, configHash: old.configHash };
    const next = servingOf(table);
    reached('embedded:store');
    await writeWhole(join(this.settings.folder, 'table.json'), JSON.stringify(table));
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

  private answer(request: IncomingMessage, response: ServerResponse, scheme: 'http' | 'https'): void {
    const visitor = readHost(request, scheme);
    if (!visitor) return answerPlain(request, response, 400);
    if (visitor.hostname === VERSION_HOST && visitor.isOwnMachine) return this.answerVersion(response);
    const place = this.serving!.places.get(visitor.hostname);
    if (place?.kind === 'container') void this.proxy.pass(request, response, place, visitor);
    else if (place?.kind === 'redirect') answerMoved(request, response, place, visitor);
    else if (place?.kind === 'files') void serveFile(request, response, join(this.settings.sitesFolder, place.root)).catch(() => answerPlain(request, response, 500));
    else answerPage(request, response, pageOf(place));
  }

  private answerUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, scheme: 'http' | 'https'): void {
    socket.on('error', () => socket.destroy());
    const visitor = readHost(request, scheme);
    const place = visitor && this.serving!.places.get(visitor.hostname);
    if (visitor && place?.kind === 'container') void this.proxy.passUpgrade(request, socket, head, place, visitor);
    else refuseUpgrade(socket, pageOf(place));
  }

  private answerVersion(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close' });
    response.end(versionAnswer(this.settings.planeId, this.serving!, process.pid));
  }
}

function servingOf(table: RouteTable): Serving {
  const places = placesOf(table);
  return { revision: table.revision, configHash: hashOf({ revision: String(table.revision), places: JSON.stringify([...places]) }), places };
}

/** What to say where there is nothing to serve; a folder takes no websockets. */
function pageOf(place: Place | undefined): EdgePage {
  if (place === undefined) return pages.unknown;
  return place.kind === 'stopped' ? pages.stopped : pages.missing;
}
