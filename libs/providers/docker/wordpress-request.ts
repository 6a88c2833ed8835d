import type { ContainerCreateOptions, MountSettings, VolumeCreateOptions } from 'dockerode';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { databaseUser, databaseVolume, secretVolume, shortId, volume, wordpressDatabase } from '#domain/naming/naming.js';
import { apacheCommand, siteUrls, WORDPRESS_CONFIG, WORDPRESS_FOLDER, wordpressImage, wordpressTmpfs, type WordPressWorkload } from '../wordpress-config.js';
import { serverIdOf } from './database-requests.js';
import { LABEL, limitsOf, SECRETS_FOLDER, siteLabels, workload } from './requests.js';
import type { DockerSettings } from './settings.js';

const SOCKET_FOLDER = '/hostplane-database';

/** A file for each set of data that the site has had: while it goes from one to another, two containers of it may be there. */
export function databasePasswordFile({ dataId }: WorkloadSpec): string {
  return dataId ? `database-password-${shortId(dataId)}` : 'database-password';
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
  const request = workload(settings, spec, hash, { image: wordpressImage(settings.wordpress, spec), port: 80, healthPath: '/', limits, mounts });
  return {
    ...request,
    User: settings.wordpress.user,
    Cmd: apacheCommand(limits.memoryBytes),
    Env: Object.entries(environment(settings, spec)).map(([name, value]) => `${name}=${value}`),
    HostConfig: {
      ...request.HostConfig,
      ReadonlyRootfs: true,
      Tmpfs: wordpressTmpfs(settings.wordpress.user),
    },
  };
}

function environment(settings: DockerSettings, spec: WordPressWorkload): Record<string, string> {
  const dataId = spec.dataId || spec.siteId;
  return {
    WORDPRESS_DB_HOST: `localhost:${SOCKET_FOLDER}/mysqld.sock`,
    WORDPRESS_DB_NAME: wordpressDatabase(dataId),
    WORDPRESS_DB_USER: databaseUser(dataId),
    WORDPRESS_DB_PASSWORD_FILE: `${SECRETS_FOLDER}/${databasePasswordFile(spec)}`,
    WORDPRESS_CONFIG_EXTRA: WORDPRESS_CONFIG,
    SITE_URLS: siteUrls(spec.url, settings.wordpress.tlsPort).join(' '),
  };
}
