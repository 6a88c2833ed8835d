import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import type { ContentStore } from '#content/content-store.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { oldContainer, projectNetwork } from '#domain/naming/naming.js';
import { waitUntilHealthy } from '../health.js';
import { InTurn } from '../in-turn.js';
import { ProviderError } from '../provider-error.js';
import type { WorkloadSecrets } from '../site-runtime.js';
import type { FoundContainer } from './containers.js';
import type { Engine } from './engine.js';
import { wordpressImage } from '../wordpress-config.js';
import { imageHere } from './images.js';
import type { ProjectNetworks } from './project-networks.js';
import { makeReleaseVolume } from './release-volume.js';
import { putSecret } from './secret-files.js';
import { appRequest, containerName, dataIdOf, dataVolumeRequest, LABEL, staticRequest } from './requests.js';
import type { DockerSettings } from './settings.js';
import { databasePasswordFile, secretVolumeRequest, wordpressRequest, wordpressVolumeRequest } from './wordpress-request.js';

/** Creating more than four containers at once gains nothing on an engine. */
const CREATIONS_AT_ONCE = 4;

/** A workload as it shall be, and what was opened for it. */
export interface Wanted {
  readonly spec: WorkloadSpec;
  /** Of the spec as it came, without anything opened. */
  readonly hash: string;
  readonly secrets: WorkloadSecrets;
}

/** Makes one site's container be as its spec says. The caller sees to it that one site is worked on once at a time. */
export class Workloads {
  private readonly creations = new InTurn(CREATIONS_AT_ONCE);

  constructor(
    private readonly engine: Engine,
    private readonly settings: DockerSettings,
    private readonly networks: ProjectNetworks,
    private readonly content: ContentStore,
  ) {}

  portOf(spec: WorkloadSpec): number {
    return this.shapeOf(spec).port;
  }

  /** Which image WordPress runs on is the host's configuration, and no part of the spec. */
  isOnItsImage(live: FoundContainer, spec: WorkloadSpec): boolean {
    return spec.kind !== 'wordpress' || live.image === wordpressImage(this.settings.wordpress, spec);
  }

  /** A container whose network was taken away under it cannot be started again, and one that was given another address is not where its visitors are sent. */
  async isOnItsNetwork(live: FoundContainer, spec: WorkloadSpec, signal?: AbortSignal): Promise<boolean> {
    return this.networks.inNetwork(spec, async (network) => {
      const inspected = await this.engine.inspectContainer(live.id, signal);
      const place = inspected?.NetworkSettings.Networks[projectNetwork(spec.projectId)];
      return place?.NetworkID === network.Id && [spec.address, ''].includes(place.IPAddress ?? '');
    }, signal);
  }

  /** Brings a container that is as it should be to the power that it should have; `old` made room for it and goes once it is healthy. */
  async settle(live: FoundContainer, old: FoundContainer | undefined, wanted: Wanted, signal?: AbortSignal): Promise<void> {
    const { spec } = wanted;
    await this.handOver(live.id, wanted, signal);
    if (live.isOld) await this.engine.renameContainer(live.id, containerName(spec), signal);
    if (spec.power === 'stopped') {
      if (live.running) await this.networks.leave(spec.projectId, () => this.engine.stopContainer(live.id, signal));
    } else if (old) {
      await this.prove(live.id, old, wanted, signal);
    } else {
      const startedAt = (await this.inspected(live.id, signal)).State.StartedAt;
      if (!live.running) await this.engine.startContainer(live.id, signal);
      else if (spec.restartedAfter !== '' && Date.parse(startedAt) < Date.parse(spec.restartedAfter)) await this.networks.leave(spec.projectId, () => this.engine.restartContainer(live.id, signal));
      await this.healthy(live.id, wanted, signal);
    }
    if (old) await this.engine.removeContainer(old.id, signal);
  }

  /**
   * Puts a new container in the place of the old one, if there is one; the old one comes back if the new one does not become healthy.
   * Containers are only renamed while they stand still: renaming running ones makes an engine (20.10) lose count of its networks' endpoints
   * when much goes on at once, and a network with such a count can never be removed.
   */
  async replace(old: FoundContainer | undefined, wanted: Wanted, signal?: AbortSignal): Promise<void> {
    const { spec, hash } = wanted;
    const request = await this.request(old, spec, hash, signal);
    if (old) await this.makeRoom(old, spec, signal);
    const next = await this.creations.run('create', () => this.networks.inNetwork(spec, () => this.engine.createContainer(request, signal), signal)).catch(async (error: unknown) => {
      if (old) await this.putBack(old, spec);
      throw error;
    });
    await this.handOver(next, wanted, signal);
    if (spec.power !== 'stopped') await this.prove(next, old, wanted, signal);
    if (old) await this.engine.removeContainer(old.id, signal);
  }

  /** What a container reads from a file is put there whether or not it is new, for it may have been changed. */
  private async handOver(id: string, { spec, secrets: { databasePassword } }: Omit<Wanted, 'hash'>, signal?: AbortSignal): Promise<void> {
    if (databasePassword === undefined) return;
    await putSecret(this.engine, id, Number(this.settings.wordpress.user.split(':')[1]), databasePasswordFile(spec), databasePassword, signal);
  }

  private async makeRoom(old: FoundContainer, spec: WorkloadSpec, signal?: AbortSignal): Promise<void> {
    if (old.running) await this.networks.leave(spec.projectId, () => this.engine.stopContainer(old.id, signal));
    if (!old.isOld) await this.engine.renameContainer(old.id, oldContainer(containerName(spec)), signal);
  }

  private request(old: FoundContainer | undefined, spec: WorkloadSpec, hash: string, signal?: AbortSignal): Promise<ContainerCreateOptions> {
    if (spec.kind === 'wordpress') return this.wordpressRequest(spec, hash, signal);
    return spec.kind === 'app' ? this.appRequest(spec, hash, signal) : this.staticRequest(old, spec, hash, signal);
  }

  private async prove(next: string, old: FoundContainer | undefined, wanted: Wanted, signal?: AbortSignal): Promise<void> {
    try {
      await this.engine.startContainer(next, signal);
      await this.healthy(next, wanted, signal);
    } catch (error) {
      await this.networks.leave(wanted.spec.projectId, () => this.engine.removeContainer(next));
      if (old) await this.putBack(old, wanted.spec);
      throw error;
    }
  }

  /** Without the caller's signal: one that was called off must have its old site back too. */
  private async putBack(old: FoundContainer, spec: WorkloadSpec): Promise<void> {
    await this.engine.renameContainer(old.id, containerName(spec));
    if (spec.power === 'stopped') return;
    await this.engine.startContainer(old.id);
    await waitUntilHealthy(old.probe, this.settings.healthyWithinMs, async () => {});
  }

  private async staticRequest(old: FoundContainer | undefined, spec: WorkloadSpec, hash: string, signal?: AbortSignal): Promise<ContainerCreateOptions> {
    await imageHere(this.engine, this.settings.staticImage.image, signal);
    if (old?.specHash !== hash) await makeReleaseVolume(this.engine, this.settings, this.content, spec, hash, signal);
    return staticRequest(this.settings, spec, hash);
  }

  private async appRequest(spec: WorkloadSpec, hash: string, signal?: AbortSignal): Promise<ContainerCreateOptions> {
    const app = spec.app!;
    const declared = (await imageHere(this.engine, app.image, signal)).Config.Volumes as Record<string, unknown> | null | undefined;
    const volumes = await this.dataVolumes(spec, Object.keys(declared ?? {}), signal);
    return appRequest(this.settings, { ...spec, app }, hash, volumes);
  }

  private async wordpressRequest(spec: WorkloadSpec, hash: string, signal?: AbortSignal): Promise<ContainerCreateOptions> {
    await imageHere(this.engine, wordpressImage(this.settings.wordpress, spec), signal);
    const data = wordpressVolumeRequest(this.settings, spec);
    const [kept] = await this.engine.volumes(data.Labels!, signal);
    if (!kept) await this.engine.createVolume(data, signal);
    await this.engine.createVolume(secretVolumeRequest(this.settings, spec), signal);
    return wordpressRequest(this.settings, { ...spec, wordpress: spec.wordpress! }, hash, kept?.Name ?? data.Name!);
  }

  /** The volumes that the image declares: those of an earlier container of the site are found by their path and used again. */
  private async dataVolumes(spec: WorkloadSpec, paths: readonly string[], signal?: AbortSignal): Promise<Map<string, string>> {
    const volumes = new Map<string, string>();
    if (paths.length === 0) return volumes;
    const found = await this.engine.volumes({ [LABEL.plane]: this.settings.plane, [LABEL.site]: dataIdOf(spec), [LABEL.role]: 'data' }, signal);
    for (const path of paths) {
      const request = dataVolumeRequest(this.settings, spec, path);
      const kept = found.find((volume) => volume.Labels[LABEL.path] === path);
      if (!kept) await this.engine.createVolume(request, signal);
      volumes.set(path, kept?.Name ?? request.Name!);
    }
    return volumes;
  }

  /** Waits until the container answers; a container that ends meanwhile, or does not answer in time, is told with its last words. */
  private async healthy(id: string, { spec, secrets }: Wanted, signal?: AbortSignal): Promise<void> {
    const { port, healthPath, image } = this.shapeOf(spec);
    const fail = async (found: string) => {
      const words = await this.engine.lastLog(id, [...Object.values(spec.app?.env ?? {}), ...Object.values(secrets.env), secrets.databasePassword ?? ''], signal);
      return new ProviderError(`The image ${image} ${found}. ${words === '' ? 'It wrote nothing to its log.' : `Its last log lines:\n${words}`}`, false);
    };
    const before = (await this.inspected(id, signal)).RestartCount;
    const check = async () => {
      const { State, RestartCount } = await this.inspected(id, signal);
      if (State.Running && RestartCount === before) return;
      const exitCode = RestartCount > before ? await this.engine.lastExitCode(id, signal) : State.ExitCode;
      throw await fail(`ended${exitCode === undefined ? '' : ` with exit code ${exitCode}`}${State.OOMKilled ? ' (out of memory)' : ''} instead of serving`);
    };
    const found = await waitUntilHealthy({ address: spec.address, port, path: healthPath }, this.settings.healthyWithinMs, check, signal);
    if (found !== undefined) throw await fail(`did not become healthy within ${this.settings.healthyWithinMs / 1000} s: ${found}`);
  }

  private shapeOf(spec: WorkloadSpec): { image: string; port: number; healthPath: string } {
    if (spec.kind === 'wordpress') return { image: wordpressImage(this.settings.wordpress, spec), port: 80, healthPath: '/' };
    return spec.app ?? { ...this.settings.staticImage, healthPath: '' };
  }

  private async inspected(id: string, signal?: AbortSignal): Promise<ContainerInspectInfo> {
    const found = await this.engine.inspectContainer(id, signal);
    if (!found) throw new ProviderError(`Container ${id} was removed by somebody else.`, true);
    return found;
  }
}
