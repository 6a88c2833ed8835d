import { probe, type HealthProbe } from '../health.js';
import type { InTurn } from '../in-turn.js';
import { lastWords } from '../last-words.js';
import { ProviderError } from '../provider-error.js';
import type { ObservedWorkload, Power } from '../site-runtime.js';
import { application, applications, containerLog, created, isRunning, isStopped, stacks, type ListedApplication } from './answers.js';
import { pause, UnknownOutcome, type CoolifyApi } from './coolify-api.js';
import { readAppMark, type AppMark } from './mark.js';
import { choosePort, hostPorts, takenPorts } from './ports.js';
import { createApplication, deleteApplication, listApplications, markApplication, readApplication, readLog, setEnvironment, stopApplication, type AppWorkload, type Place } from './requests.js';
import { listStacks } from './stack-requests.js';
import { settled } from './settled.js';
import type { CoolifySettings } from './settings.js';

const LOOKS = 3;

/** An application of this plane. */
export interface FoundApplication {
  readonly uuid: string;
  readonly name: string;
  readonly mark: AppMark;
  readonly power: Power;
  /** As Coolify says it, for example running:healthy. */
  readonly status: string;
  readonly port: number;
  /** Path that answers when it is healthy; empty: an open port is enough. */
  readonly healthPath: string;
  readonly createdAt: string;
}

/** Finds, makes, changes and takes away this plane's applications; each verb returns once Coolify shows its effect. */
export class Applications {
  constructor(
    private readonly api: CoolifyApi,
    private readonly settings: CoolifySettings,
    /** Two new sites must not choose one port. */
    private readonly choices: InTurn,
  ) {}

  async all(signal?: AbortSignal): Promise<FoundApplication[]> {
    return this.ours(await this.api.ask(listApplications(), applications, { signal }));
  }

  async ofSite(siteId: string, signal?: AbortSignal): Promise<FoundApplication[]> {
    return (await this.all(signal)).filter(({ mark }) => mark.site === siteId);
  }

  /** Makes the application on a free port. `avoid` are ports that turned out to be somebody's. */
  create(spec: AppWorkload, hash: string, place: Place, avoid: ReadonlySet<number>, signal?: AbortSignal): Promise<FoundApplication> {
    return this.choices.run('port', async () => {
      for (let look = 1; ; look++) {
        const listed = await this.api.ask(listApplications(), applications, { signal });
        const ours = this.ours(listed);
        const made = ours.find(({ mark }) => mark.site === spec.siteId && mark.spec === hash);
        if (made) return made;
        const before = ours.find(({ mark }) => mark.site === spec.siteId);
        const beside = await this.api.ask(listStacks(), stacks, { signal });
        const taken = new Set([...takenPorts(this.settings.plane, spec.siteId, listed, beside), ...avoid]);
        const own = before?.mark.spare ?? 0;
        const port = own !== 0 && !taken.has(own) ? own : choosePort(spec.siteId, this.settings.ports, taken);
        const mark: AppMark = { plane: this.settings.plane, project: spec.projectId, site: spec.siteId, spec: hash, state: 'new', restarted: 0, spare: before?.port ?? 0 };
        try {
          const { uuid } = await this.api.ask(createApplication(this.settings, spec, mark, place, port), created, { signal });
          return this.ours([await this.api.ask(readApplication(uuid), application, { signal })])[0]!;
        } catch (error) {
          if (!(error instanceof UnknownOutcome) || look >= LOOKS) throw error;
        }
      }
    });
  }

  async setEnvironment({ uuid }: FoundApplication, env: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void> {
    const request = setEnvironment(uuid, env);
    if (request) await this.api.send(request, { signal, secrets: Object.values(env) });
  }

  async mark(found: FoundApplication, change: Partial<AppMark>, signal?: AbortSignal): Promise<FoundApplication> {
    const mark = { ...found.mark, ...change };
    await this.api.send(markApplication(found.uuid, mark), { signal });
    return { ...found, mark };
  }

  async stop(found: FoundApplication, signal?: AbortSignal): Promise<void> {
    await this.api.send(stopApplication(found.uuid), { signal, fine: [404] });
    await settled(this.settings, `stop the application ${found.name}`, async () => {
      const now = await this.api.find(readApplication(found.uuid), application, { signal, fine: [404] });
      return !now || isStopped(now.status);
    }, signal);
  }

  /**
   * Returns once Coolify does not know it any more and nothing answers on its port. Coolify forgets an application whose container it could not
   * remove, so one that runs is stopped first, and looked for afterwards.
   */
  async remove(found: FoundApplication, address: string, volumes: boolean, signal?: AbortSignal): Promise<void> {
    const ran = found.power === 'running';
    if (ran) await this.stop(found, signal);
    await this.api.send(deleteApplication(found.uuid, volumes), { signal, fine: [404] });
    await settled(this.settings, `delete the application ${found.name}`, async () => (await this.api.find(readApplication(found.uuid), application, { signal, fine: [404] })) === undefined, signal);
    if (!ran || (await probe({ address, port: found.port, path: '' }, signal)) !== undefined) return;
    throw new ProviderError(`Coolify has deleted the application ${found.name}, and yet something answers on port ${found.port} of ${address}: remove the container ${found.uuid} there.`, false);
  }

  /** Returns once Coolify says that it runs and it answers from here; else throws with what was found, and its last log lines. */
  async healthy(found: FoundApplication, target: HealthProbe, secrets: readonly string[], signal?: AbortSignal): Promise<void> {
    const [first, longest] = this.settings.lookMs;
    const end = Date.now() + this.settings.healthyWithinMs;
    for (let wait = Math.min(first, 100); ; wait = Math.min(wait * 1.5, longest)) {
      const { status } = await this.api.ask(readApplication(found.uuid), application, { signal });
      const answers = await probe(target, signal);
      if (answers === undefined && isRunning(status)) return;
      if (Date.now() + wait > end) throw await this.unhealthy(found, `${answers ?? 'it answers'}, and Coolify says ${status ?? 'nothing'}`, secrets, signal);
      await pause(wait, signal);
    }
  }

  private async unhealthy({ uuid, name }: FoundApplication, what: string, secrets: readonly string[], signal?: AbortSignal): Promise<ProviderError> {
    // 400: its container is not there.
    const log = await this.api.find(readLog(uuid), containerLog, { signal, fine: [400, 404] });
    const words = lastWords(log?.logs ?? '', secrets);
    return new ProviderError(`The application ${name} did not become healthy within ${this.settings.healthyWithinMs / 1000} s: ${what}. ${words === '' ? 'It wrote nothing to its log.' : `Its last log lines:\n${words}`}`, false);
  }

  private ours(listed: readonly ListedApplication[]): FoundApplication[] {
    return listed.flatMap((one) => {
      const mark = readAppMark(one.description, this.settings.plane);
      const status = one.status ?? '';
      const healthPath = one.health_check_enabled ? (one.health_check_path ?? '') : '';
      return mark ? [{ uuid: one.uuid, name: one.name, mark, power: isRunning(status) ? 'running' : 'stopped', status, port: hostPorts(one.ports_mappings)[0] ?? 0, healthPath, createdAt: one.created_at ?? '' }] : [];
    });
  }
}

/** Of a site's applications, the one that counts: seen healthy before new, running before stopped, then the newer. */
export function onePerSite(found: readonly FoundApplication[]): FoundApplication[] {
  const rank = ({ mark, power }: FoundApplication) => (mark.state === 'live' ? 2 : 0) + (power === 'running' ? 1 : 0);
  const best = new Map<string, FoundApplication>();
  for (const one of found.filter(({ mark }) => mark.state !== 'kept')) {
    const other = best.get(one.mark.site);
    if (!other || rank(one) > rank(other) || (rank(one) === rank(other) && one.createdAt > other.createdAt)) best.set(one.mark.site, one);
  }
  return [...best.values()];
}

export function observedApplication({ mark, power, port }: FoundApplication, address: string, healthy: boolean): ObservedWorkload {
  return { siteId: mark.site, projectId: mark.project, power, healthy, specHash: mark.spec, target: { address, port, root: '' } };
}
