import type { ContainerCreateOptions, HostConfig, MountSettings, NetworkCreateOptions, VolumeCreateOptions } from 'dockerode';
import type { AppSpec } from '#contracts/gen/hostplane/v1/site.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { appVolume, containerFor, projectNetwork, releaseVolume, uploadContainer } from '#domain/naming/naming.js';
import type { SiteKind } from '#domain/site/status.js';
import type { DockerSettings, Limits } from './settings.js';
import { gatewayOf } from './subnets.js';

/** Labels: what is ours, whose it is, and what it was made from. */
export const LABEL = {
  plane: 'hostplane.plane',
  project: 'hostplane.project',
  site: 'hostplane.site',
  /** Hash of the spec. */
  spec: 'hostplane.spec',
  /** workload, upload, release, data or secret; database for a server, database-data, -socket and -secret for its volumes. */
  role: 'hostplane.role',
  /** Id of a database server. */
  server: 'hostplane.server',
  address: 'hostplane.address',
  port: 'hostplane.port',
  /** Path that answers when healthy; empty where an open port is enough. */
  health: 'hostplane.health',
  /** Where in the container a data volume is mounted. */
  path: 'hostplane.path',
} as const;

/** Where an upload container has the volume that it fills: a path that no image has. */
export const UPLOAD_FOLDER = '/hostplane-release';

/** Where a container finds the secrets that it was handed as files. */
export const SECRETS_FOLDER = '/hostplane-secrets';

/** No capability, no way to get one, and back by itself after a crash or a restart of the engine. */
export const LOCKED_DOWN: HostConfig = { RestartPolicy: { Name: 'unless-stopped' }, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] };

export function containerName(spec: WorkloadSpec): string {
  return containerFor(spec.kind as SiteKind, spec);
}

/** What a site may use: its own limits, and the host's where it has none. */
export function limitsOf({ limits }: WorkloadSpec, usual: Limits): Limits {
  return {
    memoryBytes: limits?.memoryBytes || usual.memoryBytes,
    cpus: limits?.cpuMillis ? limits.cpuMillis / 1000 : usual.cpus,
    pids: limits?.pids || usual.pids,
  };
}

export function networkRequest(settings: DockerSettings, projectId: string, subnet: string): NetworkCreateOptions {
  return {
    Name: projectNetwork(projectId),
    CheckDuplicate: true,
    Driver: 'bridge',
    IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: gatewayOf(subnet) }] },
    Labels: { [LABEL.plane]: settings.plane, [LABEL.project]: projectId },
  };
}

export function releaseVolumeRequest(settings: DockerSettings, spec: WorkloadSpec, hash: string): VolumeCreateOptions {
  return { Name: releaseVolume(spec, hash), Labels: { ...siteLabels(settings, spec), [LABEL.role]: 'release', [LABEL.spec]: hash } };
}

/** Labelled with whose data it is, so that a site which takes it over finds it. */
export function dataVolumeRequest(settings: DockerSettings, spec: WorkloadSpec, path: string): VolumeCreateOptions {
  const owner = { ...spec, siteId: dataIdOf(spec) };
  return { Name: appVolume(owner, path), Labels: { ...siteLabels(settings, owner), [LABEL.role]: 'data', [LABEL.path]: path } };
}

/** Whose data volumes a site has: those that another one left, or a restore filled, or its own. */
export function dataIdOf({ dataId, siteId }: Pick<WorkloadSpec, 'dataId' | 'siteId'>): string {
  return dataId || siteId;
}

/** A container that is never started: it only gives the engine a place to unpack into, or to pack from. */
export function uploadRequest(settings: DockerSettings, spec: WorkloadSpec, volumeName: string): ContainerCreateOptions {
  return {
    name: uploadContainer(spec),
    Image: settings.staticImage.image,
    ...(settings.staticImage.command && { Cmd: [...settings.staticImage.command] }),
    Labels: { ...siteLabels(settings, spec), [LABEL.role]: 'upload' },
    HostConfig: { NetworkMode: 'none', Mounts: [{ Type: 'volume', Source: volumeName, Target: UPLOAD_FOLDER, ReadOnly: false, VolumeOptions: NO_COPY }] },
  };
}

/** A static site's container: nothing but its release to read, no capability, no root. */
export function staticRequest(settings: DockerSettings, spec: WorkloadSpec, hash: string): ContainerCreateOptions {
  const { image, docroot, port, user, command, tmpfs, stopSignal } = settings.staticImage;
  const mount: MountSettings = { Type: 'volume', Source: releaseVolume(spec, hash), Target: docroot, ReadOnly: true, VolumeOptions: NO_COPY };
  const request = workload(settings, spec, hash, { image, port, healthPath: '', limits: limitsOf(spec, settings.staticLimits), mounts: [mount] });
  return {
    ...request,
    User: user,
    ...(command && { Cmd: [...command] }),
    ...(stopSignal && { StopSignal: stopSignal }),
    HostConfig: { ...request.HostConfig, ReadonlyRootfs: true, Tmpfs: { ...tmpfs } },
  };
}

/**
 * An app's container: the image's own user and a root that it may write to, for we cannot know what it needs; of the capabilities
 * only that to listen on a low port. `volumes` are paths in the container and the volumes to mount there.
 */
export function appRequest(settings: DockerSettings, spec: WorkloadSpec & { app: AppSpec }, hash: string, volumes: ReadonlyMap<string, string>): ContainerCreateOptions {
  const { image, port, env, healthPath } = spec.app;
  const mounts = [...volumes].map(([Target, Source]): MountSettings => ({ Type: 'volume', Source, Target }));
  const request = workload(settings, spec, hash, { image, port, healthPath, limits: limitsOf(spec, settings.appLimits), mounts });
  return { ...request, Env: Object.entries(env).map(([k, v]) => `${k}=${v}`), HostConfig: { ...request.HostConfig, CapAdd: ['NET_BIND_SERVICE'] } };
}

interface Workload {
  readonly image: string;
  readonly port: number;
  readonly healthPath: string;
  readonly limits: Limits;
  readonly mounts: MountSettings[];
}

export function workload(settings: DockerSettings, spec: WorkloadSpec, hash: string, { image, port, healthPath, limits, mounts }: Workload): ContainerCreateOptions {
  const network = projectNetwork(spec.projectId);
  const how = { [LABEL.address]: spec.address, [LABEL.port]: String(port), [LABEL.health]: healthPath };
  return {
    name: containerName(spec),
    Image: image,
    Labels: { ...siteLabels(settings, spec), [LABEL.role]: 'workload', [LABEL.spec]: hash, ...how },
    StopTimeout: settings.stopWithinSeconds,
    HostConfig: {
      ...LOCKED_DOWN,
      NetworkMode: network,
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      NanoCpus: limits.cpus * 1e9,
      PidsLimit: limits.pids,
      LogConfig: logConfig(settings),
      Mounts: mounts,
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: spec.address } } } },
  };
}

export function logConfig(settings: Pick<DockerSettings, 'logMaxSize' | 'logMaxFiles'>): NonNullable<HostConfig['LogConfig']> {
  return { Type: 'json-file', Config: { 'max-size': settings.logMaxSize, 'max-file': String(settings.logMaxFiles) } };
}

export function siteLabels(settings: DockerSettings, spec: WorkloadSpec): Record<string, string> {
  return { [LABEL.plane]: settings.plane, [LABEL.project]: spec.projectId, [LABEL.site]: spec.siteId };
}

const NO_COPY = { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } };
