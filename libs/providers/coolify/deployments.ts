import { ProviderError } from '../provider-error.js';
import { deployed, deployment, deployments, visibleLines, type ListedDeployment } from './answers.js';
import { pause, type CoolifyApi } from './coolify-api.js';
import { lastWords } from '../last-words.js';
import { deployApplication, listDeployments, readDeployment } from './requests.js';
import type { CoolifySettings } from './settings.js';

/** The port that the app was to be published on belongs to something that Coolify does not list. */
export class PortTaken extends ProviderError {}

/** Deploys applications, and follows what becomes of it. */
export class Deployments {
  constructor(
    private readonly api: CoolifyApi,
    private readonly settings: CoolifySettings,
  ) {}

  /** Returns once the application's container was started anew; else throws with the end of the deployment's log. */
  async deploy(uuid: string, secrets: readonly string[], signal?: AbortSignal): Promise<void> {
    const answer = await this.api.ask(deployApplication(uuid), deployed, { signal, secrets });
    const [told] = answer.deployments;
    if (!told?.deployment_uuid) throw new ProviderError(`The Coolify did not deploy the application ${uuid}: ${told?.message ?? 'it says nothing'}`, false);
    const end = Date.now() + this.settings.deployedWithinMs;
    const [first, longest] = this.settings.lookMs;
    for (let wait = first; ; wait = Math.min(wait * 1.5, longest)) {
      const found = await this.find(uuid, told.deployment_uuid, signal);
      if (found?.status === 'finished') return;
      if (found?.status === 'failed' || found?.status === 'cancelled-by-user') throw this.failure(found, secrets);
      if (Date.now() > end) throw new ProviderError(`The deployment of the Coolify application ${uuid} is still ${found?.status ?? 'not to be found'} after ${this.settings.deployedWithinMs / 1000} s: look at its queue there.`, true);
      await pause(wait, signal);
    }
  }

  /** While one is queued already, Coolify answers with the id of a deployment that never comes to be: then the newest is meant. */
  private async find(uuid: string, told: string, signal?: AbortSignal): Promise<ListedDeployment | undefined> {
    const found = await this.api.find(readDeployment(told), deployment, { signal, fine: [404] });
    return found ?? (await this.api.ask(listDeployments(uuid), deployments, { signal }))[0];
  }

  private failure({ deployment_uuid, status, logs }: ListedDeployment, secrets: readonly string[]): ProviderError {
    if (status === 'cancelled-by-user') return new ProviderError(`The deployment ${deployment_uuid} was cancelled in Coolify.`, false);
    const lines = visibleLines(logs);
    const told = lines ? `Its last log lines:\n${lastWords(lines.join('\n'), secrets)}` : 'Its log is only for a token with the permission read:sensitive.';
    const text = `The deployment ${deployment_uuid} failed at Coolify. ${told}`;
    return /port is already allocated|address already in use/i.test(lines?.join('\n') ?? '') ? new PortTaken(text, false) : new ProviderError(text, false);
  }
}
