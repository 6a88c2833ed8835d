import { join } from 'node:path';
import { ContentStore } from '#content/content-store.js';
import type { CoolifyRuntime } from '#providers/coolify/coolify-runtime.js';
import type { DockerRuntimeOptions } from '#providers/docker/docker-runtime.js';
import { busyboxImage, defaultSettings, nginxImage, type DockerSettings } from '#providers/docker/settings.js';
import { FilesRuntime } from '#providers/files/files-runtime.js';
import type { SiteRuntime } from '#providers/site-runtime.js';
import { Databases } from './databases.js';
import type { ProvisionerSettings } from './provisioner.config.js';
import { Runtimes } from './runtimes.js';

/** The runtimes that this host has: files always, Docker as configured or when an engine answers, Coolify when it is configured. */
export async function chooseRuntimes(settings: ProvisionerSettings, plane: string): Promise<Runtimes> {
  const content = new ContentStore(contentFolder(settings));
  const files = new FilesRuntime({ sitesFolder: sitesFolder(settings), content, plane });
  const available = new Map<string, SiteRuntime>([[files.name, files]]);
  const missing = new Map<string, string>();
  const reason = settings.HOSTPLANE_DOCKER === 'off' ? 'HOSTPLANE_DOCKER is off' : await whyNoEngine();
  if (settings.HOSTPLANE_DOCKER === 'on' || !reason) available.set('docker', await dockerRuntime({ ...dockerSettings(settings, plane), content }));
  else missing.set('docker', reason);
  const coolify = await coolifyRuntime(settings, plane);
  if (coolify) available.set('coolify', coolify);
  else missing.set('coolify', 'COOLIFY_API_URL and COOLIFY_API_TOKEN are not set');
  return new Runtimes(available, missing);
}

/** The database servers that sites of this host's runtimes can have. */
export async function chooseDatabases(settings: ProvisionerSettings, plane: string, runtimes: Runtimes): Promise<Databases> {
  if (!runtimes.has('docker')) return new Databases([]);
  const { DockerDatabases } = await import('#providers/docker/docker-databases.js');
  return new Databases([new DockerDatabases(dockerSettings(settings, plane))]);
}

export const contentFolder = (settings: ProvisionerSettings): string => join(settings.HOSTPLANE_DATA, 'content');
export const sitesFolder = (settings: ProvisionerSettings): string => join(settings.HOSTPLANE_DATA, 'sites');

/** Undefined when an engine answers. */
async function whyNoEngine(): Promise<string | undefined> {
  // Loaded only where it is used: the client is large.
  const { Engine } = await import('#providers/docker/engine.js');
  return new Engine().version(AbortSignal.timeout(3_000)).then(
    () => undefined,
    (error: unknown) => `no Docker Engine answers (${(error as Error).message})`,
  );
}

async function dockerRuntime(options: DockerRuntimeOptions): Promise<SiteRuntime> {
  const { DockerRuntime } = await import('#providers/docker/docker-runtime.js');
  return new DockerRuntime(options);
}

async function coolifyRuntime(settings: ProvisionerSettings, plane: string): Promise<CoolifyRuntime | undefined> {
  const { COOLIFY_API_URL: address, COOLIFY_API_TOKEN: token } = settings;
  if (address === undefined || token === undefined) return undefined;
  const { CoolifyRuntime } = await import('#providers/coolify/coolify-runtime.js');
  return new CoolifyRuntime({
    plane,
    url: address,
    token,
    serverUuid: settings.COOLIFY_SERVER_UUID,
    destinationUuid: settings.COOLIFY_DESTINATION_UUID,
    serverAddress: settings.COOLIFY_SERVER_ADDRESS,
    ports: settings.COOLIFY_PORTS,
    attempts: settings.COOLIFY_ATTEMPTS,
    requestsPerMinute: settings.COOLIFY_REQUESTS_PER_MINUTE,
    appLimits: { memoryBytes: settings.HOSTPLANE_MEMORY_LIMIT, cpus: settings.HOSTPLANE_CPU_LIMIT_MILLIS / 1000, pids: settings.HOSTPLANE_PIDS_LIMIT },
    ...wordpressSettings(settings),
    healthyWithinMs: settings.HOSTPLANE_HEALTH_DEADLINE_SECONDS * 1000,
  });
}

/** The same images, and as much room, wherever they run. */
function wordpressSettings(settings: ProvisionerSettings): Pick<DockerSettings, 'wordpress' | 'database'> {
  return {
    wordpress: { ...defaultSettings.wordpress, image: settings.HOSTPLANE_WORDPRESS_IMAGE, phpVersion: settings.HOSTPLANE_PHP_VERSION, tlsPort: settings.HOSTPLANE_EDGE_HTTPS_PORT },
    database: { ...defaultSettings.database, image: settings.HOSTPLANE_DATABASE_IMAGE, limits: { ...defaultSettings.database.limits, memoryBytes: settings.HOSTPLANE_DATABASE_MEMORY_LIMIT } },
  };
}

function dockerSettings(settings: ProvisionerSettings, plane: string): Omit<DockerRuntimeOptions, 'content'> {
  const image = settings.HOSTPLANE_STATIC_IMAGE;
  const limits = { memoryBytes: settings.HOSTPLANE_MEMORY_LIMIT, cpus: settings.HOSTPLANE_CPU_LIMIT_MILLIS / 1000, pids: settings.HOSTPLANE_PIDS_LIMIT };
  return {
    ...defaultSettings,
    plane,
    staticImage: /(^|\/)nginx(:|@|$)/.test(image) ? nginxImage(image) : busyboxImage(image),
    appLimits: limits,
    ...wordpressSettings(settings),
    healthyWithinMs: settings.HOSTPLANE_HEALTH_DEADLINE_SECONDS * 1000,
  };
}
