import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { ProviderError } from '../provider-error.js';
import { servers, type ListedServer } from './answers.js';
import type { CoolifyApi } from './coolify-api.js';
import { listServers } from './requests.js';
import type { CoolifySettings } from './settings.js';

/** The server of a Coolify that this plane's apps run on. */
export interface AppServer {
  readonly uuid: string;
  readonly name: string;
  /** IPv4 address at which the edge reaches its ports. */
  readonly address: string;
  /** Whether Coolify gets through to it. */
  readonly isReachable: boolean;
}

/** An address hardly ever changes: listings need not ask for it each time. */
const REMEMBERED_MS = 60_000;

/** Finds the server, as configured or as the only one that can run apps. */
export class Servers {
  private last: { readonly server: AppServer; readonly at: number } | undefined;

  constructor(
    private readonly api: CoolifyApi,
    private readonly settings: CoolifySettings,
  ) {}

  async now(signal?: AbortSignal): Promise<AppServer> {
    const found = this.choose(await this.api.ask(listServers(), servers, { signal }));
    const address = await this.addressOf(found);
    const server = { uuid: found.uuid, name: found.name, address, isReachable: (found.settings?.is_reachable ?? found.is_reachable) !== false };
    this.last = { server, at: performance.now() };
    return server;
  }

  async recently(signal?: AbortSignal): Promise<AppServer> {
    return this.last && performance.now() - this.last.at < REMEMBERED_MS ? this.last.server : this.now(signal);
  }

  private choose(listed: readonly ListedServer[]): ListedServer {
    const { serverUuid } = this.settings;
    const able = listed.filter(({ settings }) => settings?.is_build_server !== true);
    const names = able.map(({ uuid, name }) => `${uuid} (${name})`).join(', ') || 'none';
    const found = serverUuid ? able.find(({ uuid }) => uuid === serverUuid) : able[0];
    if (serverUuid && !found) throw new ProviderError(`The Coolify has no server "${serverUuid}" for apps: set COOLIFY_SERVER_UUID to one of: ${names}.`, false);
    if (!found) throw new ProviderError('The Coolify has no server that can run apps: add one there.', false);
    if (!serverUuid && able.length > 1) throw new ProviderError(`The Coolify has several servers: set COOLIFY_SERVER_UUID to one of: ${names}.`, false);
    return found;
  }

  /** Coolify calls its own machine by a name that only its containers know. */
  private async addressOf({ name, ip }: ListedServer): Promise<string> {
    const wanted = this.settings.serverAddress ?? (ip === 'host.docker.internal' ? new URL(this.settings.url).hostname : ip);
    if (isIPv4(wanted)) return wanted;
    const found = await lookup(wanted, { family: 4 }).catch(() => undefined);
    if (found) return found.address;
    throw new ProviderError(`The Coolify server ${name} has the address "${ip}", for which no IPv4 address was found: set COOLIFY_SERVER_ADDRESS to where the edge reaches its ports.`, false);
  }
}
