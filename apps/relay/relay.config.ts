import { z } from 'zod';
import { hostId, logLevel, url, wholeNumber } from '#boot/fields.js';

/** What the relay needs of its environment. */
export const relayConfig = z.object({
  HOSTPLANE_RELAY_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_RELAY_NATS_URL: url('nats', 'tls'),
  /** Hosts whose provisioners are served, when the stream has to be made again. */
  HOSTPLANE_HOST_ID: hostId().default('local'),
  /** After so long without a sign of life from its worker a message is given to the next one. */
  HOSTPLANE_REDELIVERY_SECONDS: wholeNumber(1, 300).default(5),
  /** How often a message is tried until it is given up. */
  HOSTPLANE_DELIVERIES: wholeNumber(2, 100).default(10),
  LOG_LEVEL: logLevel().default('info'),
});
