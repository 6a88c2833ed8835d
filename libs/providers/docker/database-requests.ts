import { createHash } from 'node:crypto';
import type { ContainerCreateOptions, MountSettings, VolumeCreateOptions } from 'dockerode';
import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import { deriveId } from '#contracts/ids.js';
import { databaseContainer, databaseVolume } from '#domain/naming/naming.js';
import { LABEL, LOCKED_DOWN, logConfig, SECRETS_FOLDER } from './requests.js';
import type { DockerSettings } from './settings.js';

/** Where the server listens; the folder is a volume that its sites' containers have too. */
export const SOCKET = '/run/mysqld/mysqld.sock';
export const DATA_FOLDER = '/var/lib/mysql';
export const ROOT_HASH_FILE = 'root-password-hash';

export type DatabaseSettings = Pick<DockerSettings, 'plane' | 'database' | 'healthyWithinMs' | 'logMaxSize' | 'logMaxFiles'>;
export type DatabasePart = Parameters<typeof databaseVolume>[1];
export const databaseParts: readonly DatabasePart[] = ['data', 'socket', 'secret'];

/** Which server a site's database is on: its project's own, or the one that all others of this plane on this host share. */
export function serverIdOf(settings: Pick<DockerSettings, 'plane'>, { server, projectId }: Pick<DatabaseSpec, 'server' | 'projectId'>): string {
  return server === 'own' ? projectId : deriveId('database-server', settings.plane);
}

/** What every part of a server is labelled with. */
export function serverLabels(settings: Pick<DockerSettings, 'plane'>, serverId: string): Record<string, string> {
  return { [LABEL.plane]: settings.plane, [LABEL.server]: serverId };
}

export function databaseVolumeRequest(settings: DatabaseSettings, serverId: string, part: DatabasePart): VolumeCreateOptions {
  return { Name: databaseVolume(serverId, part), Labels: { ...serverLabels(settings, serverId), [LABEL.role]: `database-${part}` } };
}

/**
 * A database server without any network: whoever has its socket's volume can ask to sign in, and nobody else reaches it. Of root's password it
 * is handed the hash alone, in a file: the password itself is nowhere on the host.
 */
export function databaseRequest(settings: DatabaseSettings, serverId: string): ContainerCreateOptions {
  const { image, user, limits } = settings.database;
  const mount = (part: DatabasePart, Target: string): MountSettings => ({ Type: 'volume', Source: databaseVolume(serverId, part), Target });
  return {
    name: databaseContainer(serverId),
    Image: image,
    User: user,
    Env: [`MARIADB_ROOT_PASSWORD_HASH_FILE=${SECRETS_FOLDER}/${ROOT_HASH_FILE}`, 'MARIADB_ROOT_HOST=localhost', 'MARIADB_AUTO_UPGRADE=1', 'MARIADB_INITDB_SKIP_TZINFO=1'],
    Labels: { ...serverLabels(settings, serverId), [LABEL.role]: 'database' },
    StopTimeout: 60,
    HostConfig: {
      ...LOCKED_DOWN,
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,size=64m,mode=1777' },
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      NanoCpus: limits.cpus * 1e9,
      PidsLimit: limits.pids,
      LogConfig: logConfig(settings),
      Mounts: [mount('data', DATA_FOLDER), mount('socket', '/run/mysqld'), mount('secret', SECRETS_FOLDER)],
    },
  };
}

/** As MariaDB stores a password (mysql_native_password): whoever has the hash alone cannot sign in with it. */
export function passwordHash(password: string): string {
  const once = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}
