import type { DockerOptions, VolumeInspectInfo } from 'dockerode';
import type { ContentStore } from '#content/content-store.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { InTurn } from '../in-turn.js';
import { ProviderError } from '../provider-error.js';
import { noSecrets, type CommandResult, type ObservedWorkload, type SiteRuntime, type WorkloadCommand, type WorkloadRemoval, type WorkloadSecrets } from '../site-runtime.js';
import { specHash } from '../spec-hash.js';
import { foundContainer, observedWorkload, onePerSite, type FoundContainer } from './containers.js';
import { Engine } from './engine.js';
import { probe } from '../health.js';
import { ProjectNetworks } from './project-networks.js';
import { LABEL } from './requests.js';
import { defaultSettings, type DockerSettings } from './settings.js';
import { DockerStorage } from './storage.js';
import { Workloads } from './workloads.js';

export type DockerRuntimeOptions = Pick<DockerSettings, 'plane' | 'staticImage'> & Partial<DockerSettings> & {
  readonly content: ContentStore;
  /** How to reach the engine; by default DOCKER_HOST, or the local socket. */
  readonly engine?: DockerOptions;
};

/**
 * Sites as containers of a Docker Engine: each project on a network of its own, each site at the address that its spec says.
 *
 * A new container is made beside the old one under the name `…-next`. The old is stopped, for the address is one, and the new one started; healthy,
 * it takes over the name and the old is removed; not healthy, it is removed and the old started again. So whatever a crash leaves behind, the
 * container without `-next` is the last one that was known to be good, and the next `ensure` begins by putting `-next` out of the way.
 */
export class DockerRuntime implements SiteRuntime {
  readonly name = 'docker';
  readonly features = { kinds: ['static', 'app', 'wordpress'], addresses: true, installs: false } as const;
  private readonly engine: Engine;
  private readonly settings: DockerSettings;
  private readonly networks: ProjectNetworks;
  private readonly workloads: Workloads;
  private readonly turns = new InTurn();
  readonly storage: DockerStorage;

  constructor({ content, engine, ...settings }: DockerRuntimeOptions) {
    this.engine = new Engine(engine);
    this.settings = { ...defaultSettings, ...settings };
    this.networks = new ProjectNetworks(this.engine, this.settings);
    this.workloads = new Workloads(this.engine, this.settings, this.networks, content);
    this.storage = new DockerStorage(this.engine, this.settings);
  }

  async removeHome(projectId: string, signal?: AbortSignal): Promise<void> {
    const why = await this.networks.removeIfUnused(projectId, signal);
    if (why !== undefined) throw new ProviderError(why, false);
  }

  async ensure(spec: WorkloadSpec, signal?: AbortSignal, secrets: WorkloadSecrets = noSecrets): Promise<Target> {
    if (!canRun(spec)) throw new ProviderError(`A site of kind "${spec.kind}" cannot run in Docker as it is described.`, false);
    return this.turns.run(spec.siteId, async () => {
      const hash = specHash(spec);
      const wanted = { spec: opened(spec, secrets), hash, secrets };
      const { live, old } = await this.tidied(spec, hash, signal);
      const kept = live !== undefined && live.specHash === hash && this.workloads.isOnItsImage(live, spec) && (await this.workloads.isOnItsNetwork(live, spec, signal));
      if (kept) await this.workloads.settle(live, old, wanted, signal);
      else {
        if (live && old) await this.networks.leave(spec.projectId, () => this.engine.removeContainer(live.id, signal));
        await this.workloads.replace(old ?? live, wanted, signal);
      }
      await this.dropOldReleases(spec.siteId, hash, signal);
      return { address: spec.address, port: this.workloads.portOf(spec), root: '' };
    });
  }

  async remove({ siteId, projectId, dataId, keepData }: WorkloadRemoval, signal?: AbortSignal): Promise<void> {
    await this.turns.run(siteId, async () => {
      for (const { id, running } of await this.containersOf(siteId, signal)) {
        if (running) await this.networks.leave(projectId, () => this.engine.stopContainer(id, signal));
        await this.engine.removeContainer(id, signal);
      }
      const isGoing = ({ Labels }: VolumeInspectInfo) => !keepData || Labels[LABEL.role] === 'secret';
      for (const { Name } of (await this.volumesOf([siteId, dataId], signal)).filter(isGoing)) await this.engine.removeVolume(Name, signal);
      // One that cannot go yet keeps no site from going: it serves the project's next one, and stands in the way of the project's own end.
      await this.networks.removeIfUnused(projectId, signal);
    });
  }

  async run(siteId: string, { argv, stdin }: WorkloadCommand, signal?: AbortSignal): Promise<CommandResult> {
    const [found] = onePerSite((await this.containersOf(siteId, signal)).filter((c) => c.role === 'workload'));
    if (!found?.running) throw new ProviderError('Nothing can be run in a site that is not running: start it first.', false);
    return this.engine.exec(found.id, argv, stdin, signal);
  }

  async observe(siteId: string, signal?: AbortSignal): Promise<ObservedWorkload | undefined> {
    const [found] = onePerSite((await this.containersOf(siteId, signal)).filter((c) => c.role === 'workload'));
    if (!found) return undefined;
    return observedWorkload(found, found.running && (await probe(found.probe, signal)) === undefined);
  }

  /** A running container counts as healthy here: a thousand are listed at once, and none is asked. */
  async list(signal?: AbortSignal): Promise<readonly ObservedWorkload[]> {
    const containers = await this.engine.containers(this.ours({ [LABEL.role]: 'workload' }), signal);
    return onePerSite(containers.map(foundContainer)).map((found) => observedWorkload(found, found.running));
  }

  /**
   * Puts what an interrupted call left out of the way; answers the container that counts, and the one that made room for it if it has
   * not been confirmed to be healthy.
   */
  private async tidied({ siteId, projectId }: WorkloadSpec, hash: string, signal?: AbortSignal): Promise<{ live?: FoundContainer; old?: FoundContainer }> {
    const all = await this.containersOf(siteId, signal);
    for (const { id } of all.filter((c) => c.role === 'upload')) await this.engine.removeContainer(id, signal);
    const workloads = all.filter((c) => c.role === 'workload');
    const old = workloads.find((c) => c.isOld);
    const live = workloads.find((c) => !c.isOld);
    if (!old || !live) return { ...((live ?? old) && { live: live ?? old }) };
    if (live.specHash === hash) return { live, old };
    await this.networks.leave(projectId, () => this.engine.removeContainer(live.id, signal));
    return { live: old };
  }

  private async dropOldReleases(siteId: string, hash: string, signal?: AbortSignal): Promise<void> {
    const releases = await this.engine.volumes(this.ours({ [LABEL.site]: siteId, [LABEL.role]: 'release' }), signal);
    for (const { Name } of releases.filter((v) => v.Labels[LABEL.spec] !== hash)) await this.engine.removeVolume(Name, signal);
  }

  /** The site's own volumes, and those of the site whose data it took over. */
  private async volumesOf(siteIds: readonly (string | undefined)[], signal?: AbortSignal): Promise<VolumeInspectInfo[]> {
    const owners = [...new Set(siteIds.filter((id): id is string => !!id))];
    return (await Promise.all(owners.map((id) => this.engine.volumes(this.ours({ [LABEL.site]: id }), signal)))).flat();
  }

  private async containersOf(siteId: string, signal?: AbortSignal): Promise<FoundContainer[]> {
    return (await this.engine.containers(this.ours({ [LABEL.site]: siteId }), signal)).map(foundContainer);
  }

  private ours(labels: Record<string, string>): Record<string, string> {
    return { [LABEL.plane]: this.settings.plane, ...labels };
  }
}

function canRun({ kind, app, wordpress }: WorkloadSpec): boolean {
  return { static: true, app: app !== undefined, wordpress: wordpress !== undefined }[kind] ?? false;
}

/** The spec with what the vault opened for it. Its hash is that of the sealed one. */
function opened(spec: WorkloadSpec, { env }: WorkloadSecrets): WorkloadSpec {
  return spec.app ? { ...spec, app: { ...spec.app, env: { ...spec.app.env, ...env } } } : spec;
}
