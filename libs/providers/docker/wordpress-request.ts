import type { ContainerCreateOptions, MountSettings, VolumeCreateOptions } from 'dockerode';
import type { WordPressSpec } from '#contracts/gen/hostplane/v1/site.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { databaseUser, databaseVolume, secretVolume, shortId, volume, wordpressDatabase } from '#domain/naming/naming.js';
import { serverIdOf } from './database-requests.js';
import { LABEL, limitsOf, SECRETS_FOLDER, siteLabels, workload } from './requests.js';
import type { DockerSettings } from './settings.js';

export type WordPressWorkload = WorkloadSpec & { readonly wordpress: WordPressSpec };

export const WORDPRESS_FOLDER = '/var/www/html';
const SOCKET_FOLDER = '/hostplane-database';

/** What a process of Apache with PHP takes, and how many there are at least. Apache's own default of 150 would run a small container out of memory. */
const WORKER_BYTES = 48 * 1024 * 1024;
const LEAST_WORKERS = 4;

/**
 * Read by PHP at each request. Links follow the address that the visitor used, which the edge tells, as long as it is one of the site's own; and no visitor
 * waits for WordPress' timed work: that is started from outside.
 */
const CONFIG = `
(function () {
  $urls = explode(' ', getenv('SITE_URLS'));
  $asked = (empty($_SERVER['HTTPS']) ? 'http://' : 'https://') . strtolower($_SERVER['HTTP_HOST'] ?? '');
  $url = in_array($asked, $urls, true) ? $asked : $urls[0];
  define('WP_HOME', $url);
  define('WP_SITEURL', $url);
})();
define('DISABLE_WP_CRON', true);
`;

/** A file for each set of data that the site has had: while it goes from one to another, two containers of it may be there. */
export function databasePasswordFile({ dataId }: WorkloadSpec): string {
  return dataId ? `database-password-${shortId(dataId)}` : 'database-password';
}

export function wordpressImage({ wordpress: { image, phpVersion } }: DockerSettings, spec: WorkloadSpec): string {
  return image.replaceAll('{php}', spec.wordpress?.phpVersion || phpVersion);
}

/** The volume of everything that WordPress keeps beside its database. It bears the id of whose data it is, for a restored site has that of another one. */
export function wordpressVolumeRequest(settings: DockerSettings, spec: WorkloadSpec): VolumeCreateOptions {
  const siteId = spec.dataId || spec.siteId;
  return { Name: volume({ ...spec, siteId }), Labels: { ...siteLabels(settings, { ...spec, siteId }), [LABEL.role]: 'data', [LABEL.path]: WORDPRESS_FOLDER } };
}

export function secretVolumeRequest(settings: DockerSettings, spec: WorkloadSpec): VolumeCreateOptions {
  return { Name: secretVolume(spec), Labels: { ...siteLabels(settings, spec), [LABEL.role]: 'secret' } };
}

/** PHP under Apache as an ordinary user on a read-only root, with its database at the end of a socket. `dataVolume` is the name of the one that it has. */
export function wordpressRequest(settings: DockerSettings, spec: WordPressWorkload, hash: string, dataVolume: string): ContainerCreateOptions {
  const limits = limitsOf(spec, settings.appLimits);
  const mount = (Source: string, Target: string, ReadOnly = false): MountSettings => ({ Type: 'volume', Source, Target, ReadOnly });
  const serverId = serverIdOf(settings, { server: spec.wordpress.database, projectId: spec.projectId });
  const mounts = [mount(dataVolume, WORDPRESS_FOLDER), mount(databaseVolume(serverId, 'socket'), SOCKET_FOLDER, true), mount(secretVolume(spec), SECRETS_FOLDER)];
  const request = workload(settings, spec, hash, { image: wordpressImage(settings, spec), port: 80, healthPath: '/', limits, mounts });
  const [uid, gid] = settings.wordpress.user.split(':');
  return {
    ...request,
    User: settings.wordpress.user,
    Cmd: ['apache2-foreground', ...apacheSettings(limits.memoryBytes).flatMap((line) => ['-c', line])],
    Env: Object.entries(environment(settings, spec)).map(([name, value]) => `${name}=${value}`),
    HostConfig: {
      ...request.HostConfig,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': `rw,noexec,nosuid,size=128m,uid=${uid},gid=${gid}`, '/run': `rw,noexec,nosuid,size=16m,uid=${uid},gid=${gid}` },
    },
  };
}

function apacheSettings(memoryBytes: number): string[] {
  const workers = Math.max(LEAST_WORKERS, Math.floor(memoryBytes / WORKER_BYTES));
  return [`MaxRequestWorkers ${workers}`, 'php_value upload_max_filesize 64M', 'php_value post_max_size 72M'];
}

function environment(settings: DockerSettings, spec: WordPressWorkload): Record<string, string> {
  const dataId = spec.dataId || spec.siteId;
  return {
    WORDPRESS_DB_HOST: `localhost:${SOCKET_FOLDER}/mysqld.sock`,
    WORDPRESS_DB_NAME: wordpressDatabase(dataId),
    WORDPRESS_DB_USER: databaseUser(dataId),
    WORDPRESS_DB_PASSWORD_FILE: `${SECRETS_FOLDER}/${databasePasswordFile(spec)}`,
    WORDPRESS_CONFIG_EXTRA: CONFIG.trim(),
    SITE_URLS: urlsOf(spec.url, settings.wordpress.tlsPort).join(' '),
  };
}

/** The addresses of a site, the first as the spec has it. */
function urlsOf(url: string, tlsPort: number | undefined): string[] {
  if (tlsPort === undefined) return [url];
  return [url, `https://${new URL(url).hostname}${tlsPort === 443 ? '' : `:${tlsPort}`}`];
}
