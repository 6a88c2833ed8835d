import { z } from 'zod';
import { logLevel, url } from '#boot/fields.js';

/** What the domains service needs of its environment. */
export const domainsConfig = z.object({
  HOSTPLANE_DOMAINS_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_DOMAINS_NATS_URL: url('nats', 'tls'),
  LOG_LEVEL: logLevel().default('info'),
});
