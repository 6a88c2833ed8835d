import { z } from 'zod';
import { baseDomain, cidr, hostId, logLevel, url, wholeNumber } from '#boot/fields.js';

/** What the lifecycle service needs of its environment. */
export const lifecycleConfig = z.object({
  HOSTPLANE_LIFECYCLE_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_LIFECYCLE_NATS_URL: url('nats', 'tls'),
  HOSTPLANE_BASE_DOMAIN: baseDomain().default('localhost'),
  /** Host that new projects and sites are placed on. */
  HOSTPLANE_HOST_ID: hostId().default('local'),
  /** Each project gets a /24 of it. */
  HOSTPLANE_NETWORK_POOL: cidr(24).default('10.77.0.0/16'),
  /** An operation whose step has not been answered for so long is given up, and taken back. */
  HOSTPLANE_STEP_DEADLINE_SECONDS: wholeNumber(10, 86_400).default(900),
  LOG_LEVEL: logLevel().default('info'),
});

export type LifecycleSettings = z.infer<typeof lifecycleConfig>;

/** The settings under a name that Nest can inject. */
export abstract class LifecycleConfig implements LifecycleSettings {
  abstract readonly HOSTPLANE_LIFECYCLE_DATABASE_URL: string;
  abstract readonly HOSTPLANE_LIFECYCLE_NATS_URL: string;
  abstract readonly HOSTPLANE_BASE_DOMAIN: string;
  abstract readonly HOSTPLANE_HOST_ID: string;
  abstract readonly HOSTPLANE_NETWORK_POOL: string;
  abstract readonly HOSTPLANE_STEP_DEADLINE_SECONDS: number;
  abstract readonly LOG_LEVEL: LifecycleSettings['LOG_LEVEL'];
}
