import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkInspectInfo } from 'dockerode';
import { InTurn } from '../in-turn.js';
import { ProviderError } from '../provider-error.js';
import type { Engine } from './engine.js';
import { LABEL, networkRequest } from './requests.js';
import type { DockerSettings } from './settings.js';
import { overlaps, parseRoutes, parseSubnet, type Subnet } from './subnets.js';

/** A project, and the CIDR that it leased for its containers. */
interface HomeSpec {
  readonly projectId: string;
  readonly subnet: string;
}

/** So long others wait for a container that leaves. One that heeds its signal is gone in a tenth of it. */
const LEAVES_WITHIN_MS = 3_000;
const ADVICE = 'Choose another range with HOSTPLANE_NETWORK_POOL.';

/** Each project's own bridge: there with its first workload, gone with the last. Work on one project's network is done in turn. */
export class ProjectNetworks {
  private readonly turns = new InTurn();

  constructor(
    private readonly engine: Engine,
    private readonly settings: DockerSettings,
  ) {}

  /** Makes sure of the network and does the work while nobody can take the network away. */
  async inNetwork<T>(home: HomeSpec, work: (network: NetworkInspectInfo) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.turns.run(home.projectId, async () => work(await this.ensure(home, signal)));
  }

  /**
   * Stops, restarts or removes a running container of the project, in turn with others of it: where several leave one network at the same moment, an engine can lose count of
   * who is in it, and then keeps the network until it is started again (moby/moby#42119; with 20.10, of 47 networks that 20 left at once it kept 3; of 72 that 20 or more left
   * in turn, none). One that takes long to stop is not waited for, and leaves whenever it does.
   */
  async leave(projectId: string, stop: () => Promise<void>): Promise<void> {
    const { leaving } = await this.turns.run(projectId, async () => {
      const leaving = stop();
      await Promise.race([leaving.catch(() => undefined), sleep(LEAVES_WITHIN_MS, undefined, { ref: false })]);
      return { leaving };
    });
    await leaving;
  }

  /** Removes the network if no workload, running or not, needs it; answers in words why it is still there, if it is. */
  async removeIfUnused(projectId: string, signal?: AbortSignal): Promise<string | undefined> {
    return this.turns.run(projectId, async () => {
      const users = await this.engine.containers({ ...this.ours(projectId), [LABEL.role]: 'workload' }, signal);
      if (users.length > 0) return `The project ${projectId} still has sites on this host: remove them first.`;
      const networks = await this.engine.networks(this.ours(projectId), signal);
      return (await Promise.all(networks.map((network) => this.removed(network, signal)))).find((why) => why !== undefined);
    });
  }

  private async ensure(home: HomeSpec, signal?: AbortSignal): Promise<NetworkInspectInfo> {
    const { projectId, subnet } = home;
    const found = await this.find(projectId, signal);
    if (found && subnetsOf(found).some(({ cidr }) => cidr === subnet)) return found;
    if (found) await this.engine.removeNetwork(found.Id, signal);
    await this.check(home, signal);
    await this.engine.createNetwork(networkRequest(this.settings, projectId, subnet), signal).catch((error: ProviderError) => {
      if (!/overlap/i.test(error.message)) throw error;
      throw new ProviderError(`The subnet ${subnet} overlaps with another network of this host. ${ADVICE}`, false, { cause: error });
    });
    const made = await this.find(projectId, signal);
    if (!made) throw new ProviderError(await this.whoseName(networkRequest(this.settings, projectId, subnet).Name, signal), false);
    return made;
  }

  /** Checks that nothing else on this host has a part of the subnet. */
  private async check({ subnet }: HomeSpec, signal?: AbortSignal): Promise<void> {
    const wanted = parseSubnet(subnet);
    if (!wanted) throw new ProviderError(`"${subnet}" is no IPv4 subnet for a project. ${ADVICE}`, false);
    const networks = await this.engine.networks(undefined, signal);
    for (const network of networks) {
      const taken = subnetsOf(network).find(({ range }) => overlaps(range, wanted));
      if (taken) throw new ProviderError(`The subnet ${subnet} overlaps with ${taken.cidr} of the Docker network ${network.Name}. ${ADVICE}`, false);
    }
    const device = this.engine.isLocal ? await routeOver(wanted) : undefined;
    if (device) throw new ProviderError(`The subnet ${subnet} overlaps with a route of this host through ${device}. ${ADVICE}`, false);
  }

  /** Removes a network, or answers why the engine does not let it go. */
  private async removed({ Id, Name }: NetworkInspectInfo, signal?: AbortSignal): Promise<string | undefined> {
    const deadline = Date.now() + this.settings.networkGoesWithinMs;
    for (let wait = 100; ; wait += 100) {
      const error = await this.engine.removeNetwork(Id, signal).then(() => undefined, (reason: ProviderError) => reason);
      if (!error) return undefined;
      if (!/active endpoints/.test(error.message)) throw error;
      if (Date.now() + wait > deadline) break;
      await sleep(wait, undefined, { signal });
    }
    const strangers = Object.values((await this.engine.inspectNetwork(Id, signal))?.Containers ?? {}).map((container) => container.Name);
    if (strangers.length > 0) return `Containers that are not Hostplane's are in the network ${Name}: ${strangers.join(', ')}. Take them out of it.`;
    return `The engine keeps the network ${Name}, though no container is in it: it has miscounted, and lets it go once the engine was started again.`;
  }

  private async find(projectId: string, signal?: AbortSignal): Promise<NetworkInspectInfo | undefined> {
    return (await this.engine.networks(this.ours(projectId), signal))[0];
  }

  /** Why a name cannot be had. */
  private async whoseName(name: string | undefined, signal?: AbortSignal): Promise<string> {
    const other = (await this.engine.networks(undefined, signal)).find((network) => network.Name === name)?.Labels?.[LABEL.plane];
    if (other === undefined) return `A network that is not Hostplane's has the name ${name}: remove it.`;
    return `The network ${name} belongs to another plane at this engine, ${other}; this one is ${this.settings.plane}. Was its log copied? Remove its containers and networks (label ${LABEL.plane}=${other}) if it is no more.`;
  }

  private ours(projectId: string): Record<string, string> {
    return { [LABEL.plane]: this.settings.plane, [LABEL.project]: projectId };
  }
}

function subnetsOf(network: NetworkInspectInfo): { cidr: string; range: Subnet }[] {
  return (network.IPAM?.Config ?? []).flatMap(({ Subnet: cidr = '' }) => {
    const range = parseSubnet(cidr);
    return range ? [{ cidr, range }] : [];
  });
}

/** The device of a route that covers a part of the subnet; only Linux tells. */
async function routeOver(wanted: Subnet): Promise<string | undefined> {
  const text = await readFile('/proc/net/route', 'utf8').catch(() => '');
  return parseRoutes(text).find(({ subnet }) => overlaps(subnet, wanted))?.device;
}
