import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { databaseUser, wordpressDatabase } from '#domain/naming/naming.js';
import { siteUrls, WORDPRESS_FOLDER, wordpressImage, wordpressTmpfs, type WordPressWorkload } from '../wordpress-config.js';
import { limitsOf } from './requests.js';
import type { ContainerLimits, CoolifySettings } from './settings.js';
import { ADMIN_PASSWORD, DATABASE_PASSWORD, VERSION, wordpressStart } from './wordpress-start.js';

/** Names of the two containers. */
export const PHP = 'wordpress';
const DATABASE = 'database';

/** What is in a compose file beside the spec: the port of the server, and which start of the site it is. */
export interface Start {
  readonly port: number;
  readonly version: string;
}

/**
 * PHP and a database server that nobody else reaches, as a compose file. It holds no secret: Coolify puts the service's variables in the place of their names. The
 * script of PHP's container is carried as base64, for compose and Coolify would both read its signs as their own.
 */
export function wordpressCompose(settings: CoolifySettings, spec: WordPressWorkload, { port, version }: Start): string {
  const { wordpress, database } = settings;
  const limits = limitsOf(settings, spec);
  const dataId = spec.dataId || spec.siteId;
  const script = Buffer.from(wordpressStart(spec, limits.memoryBytes)).toString('base64');
  return stringify({
    services: {
      [PHP]: {
        image: wordpressImage(wordpress, spec),
        entrypoint: ['/bin/sh', '-c'],
        command: [`printf %s ${script} | base64 -d > /run/hostplane-start && exec sh /run/hostplane-start`],
        environment: {
          WORDPRESS_DB_HOST: DATABASE,
          WORDPRESS_DB_NAME: wordpressDatabase(dataId),
          WORDPRESS_DB_USER: databaseUser(dataId),
          SITE_URLS: siteUrls(spec.url, wordpress.tlsPort).join(' '),
          [VERSION]: version,
          [DATABASE_PASSWORD]: `\${${DATABASE_PASSWORD}}`,
          [ADMIN_PASSWORD]: `\${${ADMIN_PASSWORD}}`,
        },
        ports: [`${port}:80`],
        volumes: [`data:${WORDPRESS_FOLDER}`],
        tmpfs: tmpfs(wordpressTmpfs(wordpress.user)),
        ...lockedDown(wordpress.user, limits),
      },
      [DATABASE]: {
        image: database.image,
        environment: {
          MARIADB_DATABASE: wordpressDatabase(dataId),
          MARIADB_USER: databaseUser(dataId),
          MARIADB_PASSWORD: `\${${DATABASE_PASSWORD}}`,
          MARIADB_ROOT_PASSWORD: `\${${DATABASE_PASSWORD}}`,
          // Root signs in from within its container alone, and from nowhere else.
          MARIADB_ROOT_HOST: 'localhost',
          MARIADB_AUTO_UPGRADE: '1',
          MARIADB_INITDB_SKIP_TZINFO: '1',
        },
        volumes: ['database:/var/lib/mysql'],
        tmpfs: tmpfs({ '/tmp': 'rw,noexec,nosuid,size=64m,mode=1777', '/run/mysqld': 'rw,noexec,nosuid,size=1m,mode=1777' }),
        stop_grace_period: '60s',
        ...lockedDown(database.user, database.limits),
      },
    },
    volumes: { data: {}, database: {} },
  }, { lineWidth: 0 });
}

const VERSION_LINE = new RegExp(`^( +${VERSION}: )"?([\\w-]+)"?$`, 'm');

/** Which start of the site a compose file is for. */
export function versionIn(compose: string): string {
  return VERSION_LINE.exec(compose)?.[2] ?? '';
}

/** The same file for another start of the site. */
export function withVersion(compose: string, version: string): string {
  return compose.replace(VERSION_LINE, `$1"${version}"`);
}

/** Eight hex digits that tell one image of PHP from another. */
export function imageMark(settings: CoolifySettings, spec: WordPressWorkload): string {
  return createHash('sha256').update(wordpressImage(settings.wordpress, spec)).digest('hex').slice(0, 8);
}

const tmpfs = (folders: Readonly<Record<string, string>>): string[] => Object.entries(folders).map(([path, options]) => `${path}:${options}`);

function lockedDown(user: string, { memoryBytes, cpus, pids }: ContainerLimits): object {
  return {
    user,
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    mem_limit: memoryBytes,
    memswap_limit: memoryBytes,
    cpus,
    pids_limit: pids,
    restart: 'unless-stopped',
  };
}
