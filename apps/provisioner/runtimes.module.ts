import { join } from 'node:path';
import { ContentStore } from '#content/content-store.js';
import { CoolifyRuntime } from '#providers/coolify/coolify-runtime.js';
import { DockerDatabases } from '#providers/docker/docker-databases.js';
import { DockerRuntime, type DockerRuntimeOptions } from '#providers/docker/docker-runtime.js';
import { Engine } from '#providers/docker/engine.js';
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
  const reason = settings.HOSTPLANE_DOCKER === 'off' ? 'HOSTPLANE_DOCKER is off' : await whyNoEngine(new Engine());
  if (settings.HOSTPLANE_DOCKER === 'on' || !reason) available.set('docker', new DockerRuntime({ ...dockerSettings(settings, plane), content }));
  else missing.set('docker', reason);
  const coolify = coolifyRuntime(settings, plane);
  if (coolify) available.set('coolify', coolify);
  else missing.set('coolify', 'COOLIFY_API_URL and COOLIFY_API_TOKEN are not set');
  return new Runtimes(available, missing);
}

/** The database servers that sites of this host's runtimes can have. */
export function chooseDatabases(settings: ProvisionerSettings, plane: string, runtimes: Runtimes): Databases {
  return new Databases(runtimes.has('docker') ? [new DockerDatabases(dockerSettings(settings, plane))] : []);
}

export const contentFolder = (settings: ProvisionerSettings): string => join(settings.HOSTPLANE_DATA, 'content');
export const sitesFolder = (settings: ProvisionerSettings): string => join(settings.HOSTPLANE_DATA, 'sites');

/** Undefined when an engine answers. */
async function whyNoEngine(engine: Engine): Promise<string | undefined> {
  return engine.version(AbortSignal.timeout(3_000)).then(
    () => undefined,
    (error: unknown) => `no Docker Engine answers (${(error as Error).message})`,
  );
}

function coolifyRuntime(settings: ProvisionerSettings, plane: string): CoolifyRuntime | undefined {
  const { COOLIFY_API_URL: address, COOLIFY_API_TOKEN: token } = settings;
  if (address === undefined || token === undefined) return undefined;
  return new CoolifyRuntime({
    plane,
    url: address,
    token,
    serverUuid: settings.COOLIFY_SERVER_UUID,
    destinationUuid: settings.COOLIFY_DESTINATION_UUID,
    serverAddress: settings.COOLIFY_SERVER_ADDRESS,
    ports: settings.COOLIFY_PORTS,
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
