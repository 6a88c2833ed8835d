import { z } from 'zod';
import { hostId, logLevel, url } from '#boot/fields.js';

/** What the relay needs of its environment. */
export const relayConfig = z.object({
  HOSTPLANE_RELAY_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_RELAY_NATS_URL: url('nats', 'tls'),
  /** Hosts whose provisioners are served, when the stream has to be made again. */
  HOSTPLANE_HOST_ID: hostId().default('local'),
  LOG_LEVEL: logLevel().default('info'),
});
