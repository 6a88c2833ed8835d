import { readConfig } from '#boot/config.js';
import type { AppContext, Running } from '#boot/process.js';
import { startWorker } from '#boot/worker.js';
import { provisionerConfig } from './provisioner.config.js';
import { ProvisionerModule } from './provisioner.module.js';

/** Starts a host's provisioner: the only process that touches the host. */
export async function start({ log, env }: AppContext): Promise<Running> {
  const settings = readConfig(provisionerConfig, env);
  return startWorker({
    app: 'provisioner',
    log,
    databaseUrl: settings.HOSTPLANE_PROVISIONER_DATABASE_URL,
    natsUrl: settings.HOSTPLANE_PROVISIONER_NATS_URL,
    hostId: settings.HOSTPLANE_HOST_ID,
    module: (store, bus) => ProvisionerModule.with(settings, store, bus, log),
  });
}
