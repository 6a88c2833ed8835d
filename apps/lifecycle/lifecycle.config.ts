import { z } from 'zod';
import { baseDomain, bytes, cidr, hostId, logLevel, oneOf, port, url, wholeNumber } from '#boot/fields.js';
import { quotaFields } from '#boot/quota.js';
import { databaseServer } from '#domain/site/needs.js';

/** What the lifecycle service needs of its environment. */
export const lifecycleConfig = z.object({
  HOSTPLANE_LIFECYCLE_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_LIFECYCLE_NATS_URL: url('nats', 'tls'),
  HOSTPLANE_BASE_DOMAIN: baseDomain().default('localhost'),
  HOSTPLANE_EDGE_HTTP_PORT: port().default(8080),
  /** Host that new projects and sites are placed on. */
  HOSTPLANE_HOST_ID: hostId().default('local'),
  /** Each project gets a /24 of it. */
  HOSTPLANE_NETWORK_POOL: cidr(24).default('10.77.0.0/16'),
  /** Where sites that need a container run when nobody says where. The launcher says coolify when that is configured. */
  HOSTPLANE_APP_RUNTIME: oneOf('docker', 'coolify').default('docker'),
  /** An operation whose step has not been answered for so long is given up, and taken back. */
  HOSTPLANE_STEP_DEADLINE_SECONDS: wholeNumber(10, 86_400).default(900),
  /** What a container takes of its project's quota that has no limits of its own, as hosts give it. */
  HOSTPLANE_MEMORY_LIMIT: bytes().default(512 * 1024 ** 2),
  HOSTPLANE_CPU_LIMIT_MILLIS: wholeNumber(1, 1_000_000).default(1_000),
  /** What a project's own database server takes of it. */
  HOSTPLANE_DATABASE_MEMORY_LIMIT: bytes().default(databaseServer.memoryBytes),
  ...quotaFields,
  /** Backups kept of each site, the newest; 0: all. */
  HOSTPLANE_BACKUPS_KEPT: wholeNumber(0, 10_000).default(7),
  /** After so many days a backup is removed, if it is not the newest of its site; 0: never. */
  HOSTPLANE_BACKUP_DAYS: wholeNumber(0, 36_500).default(0),
  LOG_LEVEL: logLevel().default('info'),
});

export type LifecycleSettings = z.infer<typeof lifecycleConfig>;

/** The settings under a name that Nest can inject. */
export abstract class LifecycleConfig implements LifecycleSettings {
  abstract readonly HOSTPLANE_LIFECYCLE_DATABASE_URL: string;
  abstract readonly HOSTPLANE_LIFECYCLE_NATS_URL: string;
  abstract readonly HOSTPLANE_BASE_DOMAIN: string;
  abstract readonly HOSTPLANE_EDGE_HTTP_PORT: number;
  abstract readonly HOSTPLANE_HOST_ID: string;
  abstract readonly HOSTPLANE_NETWORK_POOL: string;
  abstract readonly HOSTPLANE_APP_RUNTIME: LifecycleSettings['HOSTPLANE_APP_RUNTIME'];
  abstract readonly HOSTPLANE_STEP_DEADLINE_SECONDS: number;
  abstract readonly HOSTPLANE_MEMORY_LIMIT: number;
  abstract readonly HOSTPLANE_CPU_LIMIT_MILLIS: number;
  abstract readonly HOSTPLANE_DATABASE_MEMORY_LIMIT: number;
  abstract readonly HOSTPLANE_QUOTA_SITES: number | null;
  abstract readonly HOSTPLANE_QUOTA_MEMORY: number | null;
  abstract readonly HOSTPLANE_QUOTA_CPU_MILLIS: number | null;
  abstract readonly HOSTPLANE_QUOTA_DISK: number | null;
  abstract readonly HOSTPLANE_BACKUPS_KEPT: number;
  abstract readonly HOSTPLANE_BACKUP_DAYS: number;
  abstract readonly LOG_LEVEL: LifecycleSettings['LOG_LEVEL'];
}
