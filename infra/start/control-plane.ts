import { runApp, type Running } from '#boot/process.js';
import { start as startGateway } from '../../apps/api-gateway/start.js';
import { start as startDomains } from '../../apps/domains/start.js';
import { start as startLifecycle } from '../../apps/lifecycle/start.js';
import { start as startRelay } from '../../apps/relay/start.js';

/** Everything but the provisioner in one process: the gateway comes last and leaves first, so that nobody asks what is not there. */
await runApp('control-plane', async ({ env }) => {
  const running: Running[] = [];
  const stop = async () => {
    for (const app of running.splice(0).reverse()) await app.stop();
  };
  try {
    for (const start of [startRelay, startLifecycle, startDomains, startGateway]) running.push(await start(env));
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
});
