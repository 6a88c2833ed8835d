import type { Readable } from 'node:stream';
import type { VolumeInspectInfo } from 'dockerode';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { InTurn } from '../in-turn.js';
import type { SiteStorage, TakeTree, Volume, VolumeFilter } from '../site-storage.js';
import type { Engine } from './engine.js';
import { imageHere } from './images.js';
import { dataIdOf, dataVolumeRequest, LABEL, UPLOAD_FOLDER, uploadRequest } from './requests.js';
import type { DockerSettings } from './settings.js';

/** A volume may be large, and a disk slow. */
const FILL_MS = 12 * 3_600_000;

/** What a site keeps: files in which a container is handed its secrets are no content of anybody's. */
const SHOWN_ROLES = new Set(['data', 'release']);

/** Volumes of containers, read and filled through containers that are never started. A site stands still while its container is paused. */
export class DockerStorage implements SiteStorage {
  private readonly turns = new InTurn();

  constructor(
    private readonly engine: Engine,
    private readonly settings: DockerSettings,
  ) {}

  async volumes({ projectId, role }: VolumeFilter, signal?: AbortSignal): Promise<readonly Volume[]> {
    const wanted = { ...(projectId !== undefined && { [LABEL.project]: projectId }), ...(role !== undefined && { [LABEL.role]: role }) };
    const found = (await this.engine.volumes(this.ours(wanted), signal)).filter(({ Labels }) => SHOWN_ROLES.has(Labels[LABEL.role] ?? ''));
    if (found.length === 0) return [];
    const sizes = await this.turns.run('sizes', () => this.engine.volumeSizes(signal));
    // An engine lists them in whatever order.
    const sorted = found.sort((a, b) => (a.Name < b.Name ? -1 : 1));
    return sorted.map(({ Name, Labels }) => ({
      name: Name,
      projectId: Labels[LABEL.project] ?? '',
      dataId: Labels[LABEL.site] ?? '',
      role: Labels[LABEL.role] === 'data' ? 'data' : 'release',
      path: Labels[LABEL.path] ?? this.settings.staticImage.docroot,
      bytes: sizes.get(Name) ?? 0,
    }));
  }

  async exportData(spec: WorkloadSpec, take: TakeTree, signal?: AbortSignal, also?: () => Promise<void>): Promise<number> {
    await this.thaw({ [LABEL.site]: spec.siteId }, signal);
    const volumes = await this.dataVolumes(dataIdOf(spec), signal);
    const readers: { path: string; id: string }[] = [];
    try {
      for (const { Name, Labels } of volumes) readers.push({ path: Labels[LABEL.path] ?? '', id: await this.opener(spec, Name, signal) });
      return await this.frozen(spec.siteId, signal, async () => {
        await also?.();
        for (const { path, id } of readers) await take(path, await this.engine.getArchive(id, UPLOAD_FOLDER, signal));
      });
    } finally {
      for (const { id } of readers) await this.engine.removeContainer(id);
    }
  }

  async importTree(spec: WorkloadSpec, path: string, tar: Readable, signal?: AbortSignal): Promise<void> {
    const request = dataVolumeRequest(this.settings, spec, path);
    await this.dropOpeners(spec.siteId, request.Name!, signal);
    await this.engine.removeVolume(request.Name!, signal);
    await this.engine.createVolume(request, signal);
    const opener = await this.opener(spec, request.Name!, signal);
    try {
      // The entries begin with the name of the folder that they were read from, which is the one that they go to.
      await this.engine.putArchive(opener, '/', tar, signal, FILL_MS);
    } finally {
      tar.destroy();
      await this.engine.removeContainer(opener);
    }
  }

  async removeData(dataId: string, signal?: AbortSignal): Promise<void> {
    for (const { Name } of await this.dataVolumes(dataId, signal)) {
      await this.dropOpeners('', Name, signal);
      await this.engine.removeVolume(Name, signal);
    }
  }

  thawAll(signal?: AbortSignal): Promise<void> {
    return this.thaw({}, signal);
  }

  /** Pauses the site's container, does the work, and lets it go on whatever became of the work; answers how long it stood still. */
  private async frozen(siteId: string, signal: AbortSignal | undefined, work: () => Promise<void>): Promise<number> {
    const since = performance.now();
    try {
      for (const { Id, State } of await this.engine.containers(this.ours({ [LABEL.site]: siteId, [LABEL.role]: 'workload' }), signal)) {
        if (State === 'running') await this.engine.pauseContainer(Id, signal);
      }
      await work();
    } finally {
      await this.thaw({ [LABEL.site]: siteId });
    }
    return Math.round(performance.now() - since);
  }

  private async thaw(labels: Record<string, string>, signal?: AbortSignal): Promise<void> {
    const containers = await this.engine.containers(this.ours({ ...labels, [LABEL.role]: 'workload' }), signal);
    for (const { Id } of containers.filter(({ State }) => State === 'paused')) await this.engine.unpauseContainer(Id);
  }

  /** A container that has the volume in a folder of its own; one that an earlier try left is taken away. */
  private async opener(spec: WorkloadSpec, volumeName: string, signal?: AbortSignal): Promise<string> {
    await this.dropOpeners(spec.siteId, volumeName, signal);
    const image = spec.app?.image ?? this.settings.staticImage.image;
    await imageHere(this.engine, image, signal);
    const request = uploadRequest(this.settings, spec, volumeName);
    return this.engine.createContainer({ ...request, Image: image, name: `${request.name}-${volumeName.slice(-10)}`, Cmd: ['/'] }, signal);
  }

  private async dropOpeners(siteId: string, volumeName: string, signal?: AbortSignal): Promise<void> {
    const containers = await this.engine.containers(this.ours({ [LABEL.role]: 'upload', ...(siteId !== '' && { [LABEL.site]: siteId }) }), signal);
    for (const { Id } of containers.filter(({ Mounts }) => Mounts.some(({ Name }) => Name === volumeName))) await this.engine.removeContainer(Id, signal);
  }

  private dataVolumes(dataId: string, signal?: AbortSignal): Promise<VolumeInspectInfo[]> {
    return this.engine.volumes(this.ours({ [LABEL.site]: dataId, [LABEL.role]: 'data' }), signal);
  }

  private ours(labels: Record<string, string>): Record<string, string> {
    return { [LABEL.plane]: this.settings.plane, ...labels };
  }
}
