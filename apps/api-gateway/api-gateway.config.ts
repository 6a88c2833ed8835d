import { z } from 'zod';
import { baseDomain, bindAddress, bytes, folder, hostId, logLevel, port, url, wholeNumber } from '#boot/fields.js';
import { quotaFields } from '#boot/quota.js';

const TOKEN = 'a token begins with hp_ and has 32 to 200 letters, digits, hyphens and underscores after that.';

/** What the gateway needs of its environment. */
export const apiGatewayConfig = z.object({
  HOSTPLANE_API_GATEWAY_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_API_GATEWAY_NATS_URL: url('nats', 'tls'),
  HOSTPLANE_BIND: bindAddress().default('127.0.0.1'),
  HOSTPLANE_API_PORT: port().default(7080),
  /** Sites are shown at http://<label>.<base domain>:<port>, or by HTTPS where the name has a certificate. */
  HOSTPLANE_EDGE_HTTP_PORT: port().default(8080),
  HOSTPLANE_EDGE_HTTPS_PORT: port().default(8443),
  HOSTPLANE_BASE_DOMAIN: baseDomain().default('localhost'),
  /** Host that new projects are placed on. */
  HOSTPLANE_HOST_ID: hostId().default('local'),
  /** Uploads are kept in its folder `content`. */
  HOSTPLANE_DATA: folder().prefault('.hostplane'),
  HOSTPLANE_MAX_UPLOAD_BYTES: bytes().default(104_857_600),
  /** For each token, and for each address without one. */
  HOSTPLANE_REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000).default(12_000),
  /** A token that shall exist with every scope; without it one is made and printed when there is none. */
  HOSTPLANE_ADMIN_TOKEN: z.string().regex(/^hp_[A-Za-z0-9_-]{32,200}$/, TOKEN).optional(),
  /** Said by who started it: `masked`, or why an engine's socket could not be. */
  HOSTPLANE_ISOLATION: z.string().optional(),
  ...quotaFields,
  LOG_LEVEL: logLevel().default('info'),
});

type Settings = z.infer<typeof apiGatewayConfig>;

/** The settings under a name that Nest can inject. */
export abstract class ApiGatewayConfig implements Settings {
  abstract readonly HOSTPLANE_API_GATEWAY_DATABASE_URL: string;
  abstract readonly HOSTPLANE_API_GATEWAY_NATS_URL: string;
  abstract readonly HOSTPLANE_BIND: string;
  abstract readonly HOSTPLANE_API_PORT: number;
  abstract readonly HOSTPLANE_EDGE_HTTP_PORT: number;
  abstract readonly HOSTPLANE_EDGE_HTTPS_PORT: number;
  abstract readonly HOSTPLANE_BASE_DOMAIN: string;
  abstract readonly HOSTPLANE_HOST_ID: string;
  abstract readonly HOSTPLANE_DATA: string;
  abstract readonly HOSTPLANE_MAX_UPLOAD_BYTES: number;
  abstract readonly HOSTPLANE_REQUESTS_PER_MINUTE: number;
  abstract readonly HOSTPLANE_ISOLATION?: string;
  abstract readonly HOSTPLANE_QUOTA_SITES: number | null;
  abstract readonly HOSTPLANE_QUOTA_MEMORY: number | null;
  abstract readonly HOSTPLANE_QUOTA_CPU_MILLIS: number | null;
  abstract readonly HOSTPLANE_QUOTA_DISK: number | null;
  abstract readonly LOG_LEVEL: Settings['LOG_LEVEL'];
}
