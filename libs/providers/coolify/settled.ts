import { ProviderError } from '../provider-error.js';
import { pause } from './coolify-api.js';
import type { CoolifySettings } from './settings.js';

/** Returns once it is so; what was queued at Coolify takes its time. */
export async function settled({ lookMs: [first, longest], settledWithinMs }: CoolifySettings, what: string, isSo: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
  const end = Date.now() + settledWithinMs;
  for (let wait = Math.min(first, 100); !(await isSo()); wait = Math.min(wait * 1.5, longest)) {
    if (Date.now() > end) throw new ProviderError(`Coolify took the request to ${what}, and has not done it after ${settledWithinMs / 1000} s: look at the server there.`, true);
    await pause(wait, signal);
  }
}
