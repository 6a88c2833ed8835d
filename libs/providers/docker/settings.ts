import { databaseServer, staticContainer } from '#domain/site/needs.js';
import type { WordPressImage } from '../wordpress-config.js';

/** How an image that serves files is run: what it serves, from where, as whom. */
export interface StaticImage {
  readonly image: string;
  /** Where the release's volume is mounted, read-only. */
  readonly docroot: string;
  readonly port: number;
  /** uid:gid, never root. */
  readonly user: string;
  readonly command?: readonly string[];
  /** Folders that it must write to, with mount options; the rest of its root is read-only. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
}

export interface Limits {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
}

/** How a server of databases is run. */
export interface DatabaseImage {
  readonly image: string;
  /** uid:gid, never root. */
  readonly user: string;
  readonly limits: Limits;
}

export interface DockerSettings {
  /** Name of this plane: the label that tells our resources from all others. */
  readonly plane: string;
  readonly staticImage: StaticImage;
  readonly staticLimits: Limits;
  /** Of apps and WordPress. */
  readonly appLimits: Limits;
  readonly wordpress: WordPressImage;
  readonly database: DatabaseImage;
  /** How long a container may take to become healthy. */
  readonly healthyWithinMs: number;
  /** How long it may take to stop by itself before it is killed. */
  readonly stopWithinSeconds: number;
  /** How long the engine may take to let go of a network whose containers are gone. */
  readonly networkGoesWithinMs: number;
  readonly logMaxSize: string;
  readonly logMaxFiles: number;
}

const MIB = 1024 * 1024;

export const defaultSettings = {
  staticLimits: { memoryBytes: staticContainer.memoryBytes, cpus: staticContainer.cpuMillis / 1000, pids: 64 },
  appLimits: { memoryBytes: 512 * MIB, cpus: 1, pids: 256 },
  wordpress: { image: 'wordpress:6.8-php{php}-apache', phpVersion: '8.3', user: '33:33' },
  database: { image: 'mariadb:11.8', user: '999:999', limits: { memoryBytes: databaseServer.memoryBytes, cpus: databaseServer.cpuMillis / 1000, pids: 1024 } },
  healthyWithinMs: 60_000,
  stopWithinSeconds: 10,
  networkGoesWithinMs: 5_000,
  logMaxSize: '10m',
  logMaxFiles: 3,
} as const;

/** busybox httpd: its process ignores SIGTERM as the first of a container, and has nothing to finish. */
export const busyboxImage = (image: string): StaticImage => ({
  image,
  docroot: '/srv',
  port: 80,
  user: '65534:65534',
  command: ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/srv'],
  tmpfs: {},
  stopSignal: 'SIGKILL',
});

/** The official nginx image's layout, run as its own user. */
export const nginxImage = (image: string): StaticImage => ({
  image,
  docroot: '/usr/share/nginx/html',
  port: 80,
  user: '101:101',
  tmpfs: Object.fromEntries(['/var/cache/nginx', '/run', '/tmp'].map((path) => [path, 'rw,noexec,nosuid,size=16m,uid=101,gid=101'])),
});
