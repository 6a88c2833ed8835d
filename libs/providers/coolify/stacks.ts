import type { InTurn } from '../in-turn.js';
import { lastWords } from '../last-words.js';
import { probe } from '../health.js';
import { ProviderError } from '../provider-error.js';
import type { Power } from '../site-runtime.js';
import type { WordPressWorkload } from '../wordpress-config.js';
import { applications, containerLog, created, isRunning, isStopped, resources, stack, stacks, type ListedStack } from './answers.js';
import { UnknownOutcome, type CoolifyApi } from './coolify-api.js';
import { readStackMark, type StackMark } from './mark.js';
import { choosePort, takenPorts } from './ports.js';
import { listApplications, type Place } from './requests.js';
import type { AppServer } from './servers.js';
import { changeStack, createStack, deleteStack, listResources, listStacks, markStack, readStack, readStackLog, restartStack, setStackEnvironment, startStack, stopStack } from './stack-requests.js';
import { settled } from './settled.js';
import type { CoolifySettings } from './settings.js';
import { lookAt } from './wordpress-look.js';

const LOOKS = 3;
const PORTS_TRIED = 20;

/** A service of this plane: what Coolify calls a compose file with all that runs of it. */
export interface FoundStack {
  readonly uuid: string;
  readonly name: string;
  readonly mark: StackMark;
  readonly power: Power;
  /** As Coolify says it, for example running:healthy. */
  readonly status: string;
  readonly compose: string;
}

/** What a new service is made of, once its port is known. */
export interface NewStack {
  readonly spec: WordPressWorkload;
  readonly place: Place;
  mark(port: number): StackMark;
  compose(port: number): string;
}

/** Finds, makes, changes and takes away this plane's services. */
export class Stacks {
  constructor(
    private readonly api: CoolifyApi,
    private readonly settings: CoolifySettings,
    /** Two new sites must not choose one port. */
    private readonly choices: InTurn,
  ) {}

  async all(serverUuid: string, signal?: AbortSignal): Promise<FoundStack[]> {
    const ours = this.ours(await this.api.ask(listStacks(), stacks, { signal }));
    if (ours.length === 0) return [];
    const statuses = await this.statuses(serverUuid, signal);
    return ours.map((one) => ({ ...one, ...stateOf(statuses.get(one.uuid)) }));
  }

  /** Makes the service on a port that neither Coolify has given to anybody nor anything answers on. */
  create({ spec, place, mark, compose }: NewStack, { address }: AppServer, signal?: AbortSignal): Promise<FoundStack> {
    return this.choices.run('port', async () => {
      for (let look = 1; ; look++) {
        const listed = await this.api.ask(listStacks(), stacks, { signal });
        const made = this.ours(listed).find((one) => one.mark.data === mark(0).data);
        if (made) return made;
        const taken = takenPorts(this.settings.plane, spec.siteId, await this.api.ask(listApplications(), applications, { signal }), listed);
        const port = await this.freePort(spec.siteId, taken, address, signal);
        try {
          const { uuid } = await this.api.ask(createStack(spec, mark(port), place, compose(port)), created, { signal });
          return this.ours([await this.api.ask(readStack(uuid), stack, { signal })])[0]!;
        } catch (error) {
          if (!(error instanceof UnknownOutcome) || look >= LOOKS) throw error;
        }
      }
    });
  }

  async change(found: FoundStack, name: string, mark: StackMark, compose: string, signal?: AbortSignal): Promise<FoundStack> {
    await this.api.send(changeStack(found.uuid, name, mark, compose), { signal });
    return { ...found, name, mark, compose };
  }

  async mark(found: FoundStack, change: Partial<StackMark>, signal?: AbortSignal): Promise<FoundStack> {
    const mark = { ...found.mark, ...change };
    await this.api.send(markStack(found.uuid, mark), { signal });
    return { ...found, mark };
  }

  /** Asks for the containers to be as the compose file says. Nothing tells when that is so but the containers. */
  async start({ uuid, power }: FoundStack, env: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void> {
    await this.api.send(setStackEnvironment(uuid, env), { signal, secrets: Object.values(env) });
    // 400: by its word it runs, which may be what it saw last and not what is.
    if (power === 'stopped' && (await this.api.send(startStack(uuid), { signal, fine: [400] }))) return;
    await this.api.send(restartStack(uuid), { signal });
  }

  /** Returns once Coolify says that it stands still, and it does not answer any more. */
  async stop({ uuid, name, mark: { port } }: FoundStack, { uuid: serverUuid, address }: AppServer, signal?: AbortSignal): Promise<void> {
    let isTaken = false;
    await settled(this.settings, `stop the service ${name}`, async () => {
      // 400: by its word it stands still, which may be what it saw last. What it took once it is not asked for again: a stop that waits in its queue would come after a start.
      isTaken ||= (await this.api.send(stopStack(uuid), { signal, fine: [400, 404] })) !== undefined;
      return isStopped((await this.statuses(serverUuid, signal)).get(uuid)) && !(await isThere(address, port, signal));
    }, signal);
  }

  /**
   * With its data. Returns once Coolify does not know it and it does not answer any more. Coolify forgets a service whose containers it could not remove, so it is
   * stopped first.
   */
  async remove(found: FoundStack, server: AppServer, signal?: AbortSignal): Promise<void> {
    const { uuid, name, mark: { port } } = found;
    await this.stop(found, server, signal);
    await this.api.send(deleteStack(uuid), { signal, fine: [404] });
    await settled(this.settings, `delete the service ${name}`, async () => (await this.api.find(readStack(uuid), stack, { signal, fine: [404] })) === undefined, signal);
    if (!(await isThere(server.address, port, signal))) return;
    throw new ProviderError(`Coolify has deleted the service ${name}, and yet it answers on port ${port} of ${server.address}: remove the containers whose names end in ${uuid} there.`, false);
  }

  async status(uuid: string, serverUuid: string, signal?: AbortSignal): Promise<string> {
    return (await this.statuses(serverUuid, signal)).get(uuid) ?? '';
  }

  /** The end of what PHP's container said, for an error's readers. */
  async lastWords(uuid: string, secrets: readonly string[], signal?: AbortSignal): Promise<string> {
    // 400: its container is not there.
    const log = await this.api.find(readStackLog(uuid), containerLog, { signal, fine: [400, 404] });
    const words = lastWords(log?.logs ?? '', secrets);
    return words === '' ? 'It wrote nothing to its log.' : `Its last log lines:\n${words}`;
  }

  private async freePort(siteId: string, taken: Set<number>, address: string, signal?: AbortSignal): Promise<number> {
    for (let tried = 1; ; tried++) {
      const port = choosePort(siteId, this.settings.ports, taken);
      if (tried > PORTS_TRIED || (await probe({ address, port, path: '' }, signal)) !== undefined) return port;
      taken.add(port);
    }
  }

  /** What a service is doing is described among the resources of its server alone. */
  private async statuses(serverUuid: string, signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const listed = await this.api.ask(listResources(serverUuid), resources, { signal });
    return new Map(listed.map(({ uuid, status }) => [uuid, status ?? '']));
  }

  private ours(listed: readonly ListedStack[]): FoundStack[] {
    return listed.flatMap(({ uuid, name, description, docker_compose_raw }) => {
      const mark = readStackMark(description, this.settings.plane);
      return mark ? [{ uuid, name, mark, ...stateOf(undefined), compose: docker_compose_raw ?? '' }] : [];
    });
  }
}

function stateOf(status = ''): Pick<FoundStack, 'power' | 'status'> {
  return { status, power: isRunning(status) ? 'running' : 'stopped' };
}

/** Whether a WordPress of this kind answers there: what else has the port is no matter. */
async function isThere(address: string, port: number, signal?: AbortSignal): Promise<boolean> {
  const seen = await lookAt(address, port, signal);
  return 'version' in seen && seen.version !== '';
}
