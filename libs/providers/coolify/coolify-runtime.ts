import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { probe } from '../health.js';
import { InTurn } from '../in-turn.js';
import { ProviderError } from '../provider-error.js';
import { noSecrets, type ObservedWorkload, type SiteRuntime, type WorkloadRemoval, type WorkloadSecrets } from '../site-runtime.js';
import { specHash } from '../spec-hash.js';
import { Applications, observedApplication, onePerSite, type FoundApplication } from './applications.js';
import { CoolifyApi } from './coolify-api.js';
import { Deployments, PortTaken } from './deployments.js';
import type { AppWorkload, Place } from './requests.js';
import { Rooms } from './rooms.js';
import { Servers, type AppServer } from './servers.js';
import { Stacks, type FoundStack } from './stacks.js';
import { defaultSettings, type CoolifySettings } from './settings.js';
import { observedStack, WordPressStacks } from './wordpress-stacks.js';

export type CoolifyRuntimeOptions = Pick<CoolifySettings, 'plane' | 'url' | 'token' | 'wordpress' | 'database'> & Partial<CoolifySettings>;

const PORTS_TRIED = 5;

/**
 * Apps as applications of a Coolify, and WordPress sites as services, published on ports of its server.
 *
 * Coolify replaces a container in place when it has a port of the server, without a way back. So each version of an app is an application
 * of its own: the new one is made beside the old, on another port, deployed and looked at; healthy, it is marked live and the old is deleted;
 * not healthy, it is deleted and the old has served all the while. What a crash leaves, the next `ensure` or `remove` finds by its mark.
 */
export class CoolifyRuntime implements SiteRuntime {
  readonly name = 'coolify';
  readonly features = { kinds: ['app', 'wordpress'], addresses: false, installs: true } as const;
  private readonly servers: Servers;
  private readonly rooms: Rooms;
  private readonly applications: Applications;
  private readonly deployments: Deployments;
  private readonly stacks: Stacks;
  private readonly wordpress: WordPressStacks;
  private readonly sites = new InTurn();
  private readonly projects = new InTurn();

  constructor(options: CoolifyRuntimeOptions) {
    const settings: CoolifySettings = { ...defaultSettings, ...options };
    const api = new CoolifyApi(settings);
    this.servers = new Servers(api, settings);
    this.rooms = new Rooms(api, settings);
    const choices = new InTurn();
    this.applications = new Applications(api, settings, choices);
    this.deployments = new Deployments(api, settings);
    this.stacks = new Stacks(api, settings, choices);
    this.wordpress = new WordPressStacks(this.stacks, settings, (...place) => this.inRoom(...place));
  }

  async removeHome(projectId: string, signal?: AbortSignal): Promise<void> {
    if (await this.removeRoom(projectId, await this.servers.recently(signal), signal)) return;
    throw new ProviderError(`The project ${projectId} still has something in it at Coolify: remove it first.`, false);
  }

  async ensure(spec: WorkloadSpec, signal?: AbortSignal, secrets: WorkloadSecrets = noSecrets): Promise<Target> {
    const { kind, app, wordpress } = spec;
    if (kind === 'app' && app) return this.sites.run(spec.siteId, () => this.ensureApp({ ...spec, app }, secrets, signal));
    if (kind !== 'wordpress' || !wordpress) throw new ProviderError(`A site of kind "${kind}" cannot run at Coolify as it is described.`, false);
    return this.sites.run(spec.siteId, async () => {
      const server = await this.servers.now(signal);
      const port = await this.wordpress.ensure({ ...spec, wordpress }, server, secrets, signal);
      return { address: server.address, port, root: '' };
    });
  }

  async remove({ siteId, projectId, keepData }: WorkloadRemoval, signal?: AbortSignal): Promise<void> {
    await this.sites.run(siteId, async () => {
      const server = await this.servers.now(signal);
      const [apps, stacks] = [await this.applications.ofSite(siteId, signal), await this.stacksOf(siteId, server, signal)];
      if (apps.length + stacks.length > 0 && !server.isReachable) throw new ProviderError(`Coolify does not get through to its server ${server.name}, and would forget what still runs there: bring the server back.`, true);
      const isLeft = [await this.removeApps(apps, keepData, server, signal), await this.wordpress.remove(stacks, keepData, server, signal)];
      if (!isLeft.includes(true)) await this.removeRoom(projectId, server, signal);
    });
  }

  async observe(siteId: string, signal?: AbortSignal): Promise<ObservedWorkload | undefined> {
    const server = await this.servers.recently(signal);
    const [stack] = (await this.stacksOf(siteId, server, signal)).filter(isInUse);
    if (stack) return this.wordpress.observe(stack, server.address, signal);
    const [found] = onePerSite(await this.applications.ofSite(siteId, signal));
    if (!found) return undefined;
    const answers = found.power === 'running' && (await probe({ address: server.address, port: found.port, path: found.healthPath }, signal)) === undefined;
    return observedApplication(found, server.address, answers);
  }

  /** What runs counts as healthy here unless Coolify's own check says otherwise: none is asked. */
  async list(signal?: AbortSignal): Promise<readonly ObservedWorkload[]> {
    const { uuid, address } = await this.servers.recently(signal);
    const isWell = ({ power, status }: Pick<FoundApplication, 'power' | 'status'>) => power === 'running' && /^running(?!:unhealthy)/.test(status);
    const [apps, stacks] = [onePerSite(await this.applications.all(signal)), (await this.stacks.all(uuid, signal)).filter(isInUse)];
    return [...apps.map((one) => observedApplication(one, address, isWell(one))), ...stacks.map((one) => observedStack(one, address, isWell(one)))];
  }

  private async stacksOf(siteId: string, { uuid }: AppServer, signal?: AbortSignal): Promise<FoundStack[]> {
    return (await this.stacks.all(uuid, signal)).filter(({ mark }) => mark.site === siteId);
  }

  private async ensureApp(spec: AppWorkload, secrets: WorkloadSecrets, signal?: AbortSignal): Promise<Target> {
    const server = await this.servers.now(signal);
    const work = { spec, hash: specHash(spec), env: { ...spec.app.env, ...secrets.env }, server, signal };
    const before = await this.applications.ofSite(spec.siteId, signal);
    const found = before.find(({ mark }) => mark.spec === work.hash && mark.state !== 'new') ?? before.find(({ mark }) => mark.spec === work.hash);
    const live = found && found.mark.state !== 'new' ? await this.settle(found, work) : await this.prove(found, work);
    for (const other of before.filter(({ uuid }) => uuid !== live.uuid)) await this.applications.remove(other, server.address, false, signal);
    return { address: server.address, port: live.port, root: '' };
  }

  /** Answers whether one of them stays. */
  private async removeApps(found: readonly FoundApplication[], keepData: boolean, server: AppServer, signal?: AbortSignal): Promise<boolean> {
    const [kept] = keepData ? [...onePerSite(found), ...found] : [];
    for (const one of found.filter((other) => other !== kept)) await this.applications.remove(one, server.address, !keepData, signal);
    if (kept?.power === 'running') await this.applications.stop(kept, signal);
    if (kept && kept.mark.state !== 'kept') await this.applications.mark(kept, { state: 'kept' }, signal);
    return kept !== undefined;
  }

  /** Brings one that was seen healthy to the power that it should have. */
  private async settle(found: FoundApplication, { spec, env, server, signal }: Work): Promise<FoundApplication> {
    const restart = Date.parse(spec.restartedAfter) || 0;
    if (spec.power === 'stopped') {
      if (found.power === 'running') await this.applications.stop(found, signal);
      return this.markedLive(found, found.mark.restarted, signal);
    }
    if (found.power === 'stopped' || found.mark.restarted < restart) {
      await this.applications.setEnvironment(found, env, signal);
      await this.deployments.deploy(found.uuid, Object.values(env), signal);
    }
    await this.applications.healthy(found, { address: server.address, port: found.port, path: spec.app.healthPath }, Object.values(env), signal);
    return this.markedLive(found, Math.max(found.mark.restarted, restart), signal);
  }

  /** Makes a version and sees whether it becomes healthy. One that does not is taken away again; one whose fate is open stays for the next attempt. */
  private async prove(found: FoundApplication | undefined, work: Work): Promise<FoundApplication> {
    const { spec, hash, env, server, signal } = work;
    const avoid = new Set<number>();
    for (let made = found; ; made = undefined) {
      made ??= await this.create(spec, hash, server, avoid, signal);
      let now = made;
      try {
        await this.applications.setEnvironment(made, env, signal);
        if (spec.power === 'stopped') return await this.markedLive(made, Date.parse(spec.restartedAfter) || 0, signal);
        await this.deployments.deploy(made.uuid, Object.values(env), signal);
        now = { ...made, power: 'running' };
        await this.applications.healthy(made, { address: server.address, port: made.port, path: spec.app.healthPath }, Object.values(env), signal);
        return await this.markedLive(now, Date.parse(spec.restartedAfter) || 0, signal);
      } catch (error) {
        if (!(error instanceof ProviderError) || error.retryable) throw error;
        await this.withdraw(now, server, signal);
        avoid.add(made.port);
        if (!(error instanceof PortTaken) || avoid.size >= PORTS_TRIED) throw error;
      }
    }
  }

  private create(spec: AppWorkload, hash: string, server: AppServer, avoid: ReadonlySet<number>, signal?: AbortSignal): Promise<FoundApplication> {
    return this.inRoom(spec.projectId, server.uuid, (place) => this.applications.create(spec, hash, place, avoid, signal), signal);
  }

  /** In the project's turn, so that nobody takes its room away meanwhile. */
  private inRoom<T>(projectId: string, serverUuid: string, work: (place: Place) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.projects.run(projectId, async () => work(await this.rooms.ensure(projectId, serverUuid, signal)));
  }

  /** What went wrong first is what has to be told; what is left then is found by its mark. */
  private async withdraw(made: FoundApplication, server: AppServer, signal?: AbortSignal): Promise<void> {
    await this.applications.remove(made, server.address, true, signal).catch((error: unknown) => {
      if (!(error instanceof ProviderError)) throw error;
    });
  }

  private async markedLive(found: FoundApplication, restarted: number, signal?: AbortSignal): Promise<FoundApplication> {
    return found.mark.state === 'live' && found.mark.restarted === restarted ? found : this.applications.mark(found, { state: 'live', restarted }, signal);
  }

  private removeRoom(projectId: string, server: AppServer, signal?: AbortSignal): Promise<boolean> {
    return this.projects.run(projectId, () => this.rooms.removeIfEmpty(projectId, server.uuid, signal));
  }
}

const isInUse = ({ mark }: FoundStack): boolean => mark.state !== 'kept';

interface Work {
  readonly spec: AppWorkload;
  readonly hash: string;
  readonly env: Readonly<Record<string, string>>;
  readonly server: AppServer;
  readonly signal: AbortSignal | undefined;
}
