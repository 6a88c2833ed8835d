import { readConfig } from '#boot/config.js';
import { nestLogger } from '#boot/logger.js';
import type { AppContext, Running } from '#boot/process.js';
import { EventStore } from '#eventstore/event-store.js';
import { Relay } from '#messaging/relay.js';
import { relayConfig } from './relay.config.js';

/** Starts the relay: it carries the log to the bus, and nothing else. */
export async function start({ log, env }: AppContext): Promise<Running> {
  const settings = readConfig(relayConfig, env);
  const store = new EventStore({ connectionString: settings.HOSTPLANE_RELAY_DATABASE_URL, app: 'relay' });
  const relay = new Relay({ url: settings.HOSTPLANE_RELAY_NATS_URL, source: store, setup: { hosts: [settings.HOSTPLANE_HOST_ID], ackWaitMs: settings.HOSTPLANE_REDELIVERY_SECONDS * 1000, maxDeliveries: settings.HOSTPLANE_DELIVERIES }, log: nestLogger(log) });
  // It ends by itself only when log and bus do not belong together: going on would publish what is not so.
  relay.run().catch((err: unknown) => {
    log.fatal({ err }, 'The relay stopped');
    process.exit(1);
  });
  return {
    async stop() {
      await relay.stop();
      await store.close();
    },
  };
}
