import { setTimeout as sleep } from 'node:timers/promises';
import type { ImageInspectInfo } from 'dockerode';
import { ProviderError } from '../provider-error.js';
import type { Engine } from './engine.js';

const PULL_ATTEMPTS = 3;

/** What the engine knows of an image; one that it does not have is pulled. */
export async function imageHere(engine: Engine, image: string, signal?: AbortSignal): Promise<ImageInspectInfo> {
  const here = await engine.inspectImage(image, signal);
  if (here) return here;
  await pull(engine, image, signal);
  const pulled = await engine.inspectImage(image, signal);
  if (!pulled) throw new ProviderError(`The image ${image} was pulled, and yet it is not there.`, true);
  return pulled;
}

/** A registry that does not answer may be one that does not exist: after a few tries somebody is told, rather than kept waiting. */
async function pull(engine: Engine, image: string, signal?: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const error = await engine.pullImage(image, signal).then(() => undefined, (reason: ProviderError) => reason);
    if (!error) return;
    if (!error.retryable || attempt === PULL_ATTEMPTS) throw new ProviderError(`${error.message} Check the image's name, and that this host reaches its registry; then retry.`, false, { cause: error });
    await sleep(1_000 * attempt, undefined, { signal });
  }
}
