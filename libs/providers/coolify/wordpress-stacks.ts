import { wordpressService } from '#domain/naming/naming.js';
import { probe } from '../health.js';
import { ProviderError } from '../provider-error.js';
import type { ObservedWorkload, WorkloadSecrets } from '../site-runtime.js';
import { specHash } from '../spec-hash.js';
import type { WordPressWorkload } from '../wordpress-config.js';
import { isRunning } from './answers.js';
import { pause } from './coolify-api.js';
import type { StackMark } from './mark.js';
import type { Place } from './requests.js';
import type { AppServer } from './servers.js';
import type { FoundStack, Stacks } from './stacks.js';
import type { CoolifySettings } from './settings.js';
import { imageMark, versionIn, withVersion, wordpressCompose } from './wordpress-compose.js';
import { lookAt, LOOK_PATH } from './wordpress-look.js';
import { ADMIN_PASSWORD, DATABASE_PASSWORD } from './wordpress-start.js';

/** The first start makes a database and installs: so many times the usual time. */
const FIRST_START = 3;

/**
 * WordPress sites, each a service of PHP and a database server with two volumes.
 *
 * A service is replaced in place. So a changed one is a compose file in the place of another on the same volumes, seen by the version that PHP answers with; where that
 * does not come, the file before is put back. Coolify names no deployment of a service: what runs, and by its own word what stands still, is all there is to see.
 */
export class WordPressStacks {
  constructor(
    private readonly stacks: Stacks,
    private readonly settings: CoolifySettings,
    /** Runs in the project's turn, where its room is there. */
    private readonly inRoom: <T>(projectId: string, serverUuid: string, work: (place: Place) => Promise<T>, signal?: AbortSignal) => Promise<T>,
  ) {}

  /** Answers the port. */
  async ensure(spec: WordPressWorkload, server: AppServer, secrets: WorkloadSecrets, signal?: AbortSignal): Promise<number> {
    const work = { spec, server, signal, hash: specHash(spec), image: imageMark(this.settings, spec), data: spec.dataId || spec.siteId, restart: Date.parse(spec.restartedAfter) || 0, secrets };
    const found = (await this.stacks.all(server.uuid, signal)).find(({ mark }) => mark.data === work.data) ?? (await this.create(work));
    if (spec.power === 'stopped') await this.stand(found, work);
    else if (!isAsMeant(found, work)) await this.replace(found, work);
    else if (found.power === 'stopped' || found.mark.restarted < work.restart) await this.start(found, work);
    else await this.healthy(found, work, undefined);
    return found.mark.port;
  }

  /** With `keepData` it stands still, marked as kept, until a site takes its data over. Answers whether anything of it is left. */
  async remove(found: readonly FoundStack[], keepData: boolean, server: AppServer, signal?: AbortSignal): Promise<boolean> {
    for (const one of found) {
      if (!keepData) await this.stacks.remove(one, server, signal);
      else if (one.mark.state !== 'kept') await this.keep(one, server, signal);
    }
    return keepData && found.length > 0;
  }

  async observe({ mark, power }: FoundStack, address: string, signal?: AbortSignal): Promise<ObservedWorkload> {
    const healthy = power === 'running' && (await probe({ address, port: mark.port, path: LOOK_PATH }, signal)) === undefined;
    return observedStack({ mark, power }, address, healthy);
  }

  private async keep(found: FoundStack, server: AppServer, signal?: AbortSignal): Promise<void> {
    await this.stacks.stop(found, server, signal);
    await this.stacks.mark(found, { state: 'kept' }, signal);
  }

  /** Only for data of the site's own: what another one left is there, or gone. */
  private async create(work: Work): Promise<FoundStack> {
    const { spec, hash, image, data, server, signal } = work;
    if (spec.dataId !== '') throw new ProviderError(`The data of the site ${spec.dataId} is not at Coolify any more: no service there has its mark.`, false);
    const version = newVersion(hash);
    return this.inRoom(spec.projectId, server.uuid, (place) => {
      const mark = (port: number): StackMark => ({ plane: this.settings.plane, project: spec.projectId, site: spec.siteId, data, spec: hash, image, state: 'new', restarted: work.restart, port });
      return this.stacks.create({ spec, place, mark, compose: (port) => wordpressCompose(this.settings, spec, { port, version }) }, server, signal);
    }, signal);
  }

  /** Not to run: what it is then is seen when it starts. */
  private async stand(found: FoundStack, work: Work): Promise<void> {
    const { server, signal } = work;
    if (found.power === 'running') await this.stacks.stop(found, server, signal);
    if (isOf(found, work)) return;
    await this.write(found, work, found.mark.state === 'new' ? 'new' : 'changing');
  }

  /** One that was seen healthy as it is starts anew; there is nothing to go back to. */
  private async start(found: FoundStack, work: Work): Promise<void> {
    await this.prove(await this.write(found, work, 'changing'), work);
  }

  /** Another compose file. One that never was healthy goes, with data that is worth nothing; one that was comes back as it was. */
  private async replace(found: FoundStack, work: Work): Promise<void> {
    const written = await this.write(found, work, found.mark.state === 'new' ? 'new' : 'changing');
    try {
      await this.prove(written, work);
    } catch (error) {
      if (!(error instanceof ProviderError) || error.retryable) throw error;
      if (found.mark.state === 'new') await this.stacks.remove(written, work.server, work.signal).catch(onlyOfProvider);
      if (found.mark.state !== 'live' || found.power === 'stopped') throw error;
      const after = await this.putBack(found, work).then(() => 'The one before runs again.', (second: unknown) => `Nor does the one before run again: ${onlyOfProvider(second).message}`);
      throw new ProviderError(`${error.message}\n${after}`, false, { cause: error });
    }
  }

  /** As a start of its own: what answers with the number that it had may be what Coolify is just about to take down. */
  private async putBack(before: FoundStack, work: Work): Promise<void> {
    const compose = withVersion(before.compose, newVersion(before.mark.spec));
    const found = await this.stacks.change(before, before.name, { ...before.mark, state: 'changing' }, compose, work.signal);
    await this.prove(found, work);
  }

  private write(found: FoundStack, { spec, hash, image, restart, signal }: Work, state: StackMark['state']): Promise<FoundStack> {
    const mark: StackMark = { ...found.mark, site: spec.siteId, spec: hash, image, state, restarted: Math.max(found.mark.restarted, restart) };
    const compose = wordpressCompose(this.settings, spec, { port: mark.port, version: newVersion(hash) });
    return this.stacks.change(found, wordpressService(spec), mark, compose, signal);
  }

  /** Has it started, and marks it once its version answers. */
  private async prove(found: FoundStack, work: Work): Promise<void> {
    const { databasePassword = '', adminPassword = '' } = work.secrets;
    if (databasePassword === '' || adminPassword === '') throw new ProviderError('WordPress at Coolify needs the passwords of its database and of its administrator, and was handed none.', false);
    await this.stacks.start(found, { [DATABASE_PASSWORD]: databasePassword, [ADMIN_PASSWORD]: adminPassword }, work.signal);
    await this.healthy(found, work, versionIn(found.compose));
    await this.stacks.mark(found, { state: 'live' }, work.signal);
  }

  /**
   * Returns once this version answers (or any, where none is named) and Coolify says that it runs. What does not begin to run has `deployedWithinMs`, for images may be
   * fetched; what runs and does not answer has `healthyWithinMs`.
   */
  private async healthy(found: FoundStack, { server, secrets, signal }: Work, version: string | undefined): Promise<void> {
    const { lookMs: [first, longest], deployedWithinMs, healthyWithinMs } = this.settings;
    const allowedMs = found.mark.state === 'new' ? healthyWithinMs * FIRST_START : healthyWithinMs;
    const end = Date.now() + deployedWithinMs;
    const values = [secrets.databasePassword ?? '', secrets.adminPassword ?? ''];
    for (let wait = Math.min(first, 100), since: number | undefined; ; wait = Math.min(wait * 1.5, longest)) {
      const status = await this.stacks.status(found.uuid, server.uuid, signal);
      const seen = await lookAt(server.address, found.mark.port, signal);
      const isRight = 'version' in seen && (version === undefined || seen.version === version);
      if (isRight && isRunning(status)) return;
      since = isRunning(status) ? (since ?? Date.now()) : undefined;
      const instead = 'found' in seen ? seen.found : isRight ? 'it answers' : 'what answers is not this version';
      const says = `Coolify says ${status === '' ? 'nothing of it' : status}`;
      if (since !== undefined && Date.now() + wait > since + allowedMs) {
        throw new ProviderError(`The service ${found.name} did not become healthy within ${allowedMs / 1000} s: ${instead}, and ${says}. ${await this.stacks.lastWords(found.uuid, values, signal)}`, false);
      }
      if (Date.now() + wait > end) {
        throw new ProviderError(`Coolify took the request to start the service ${found.name}, and it does not run after ${deployedWithinMs / 1000} s: ${instead}, and ${says}. Its API does not say why. Look at the service there: an image may be missing, or the port ${found.mark.port} somebody's.`, false);
      }
      await pause(wait, signal);
    }
  }
}

interface Work {
  readonly spec: WordPressWorkload;
  readonly hash: string;
  readonly image: string;
  /** Whose data. */
  readonly data: string;
  readonly restart: number;
  readonly server: AppServer;
  readonly secrets: WorkloadSecrets;
  readonly signal: AbortSignal | undefined;
}

export function observedStack({ mark, power }: Pick<FoundStack, 'mark' | 'power'>, address: string, healthy: boolean): ObservedWorkload {
  return { siteId: mark.site, projectId: mark.project, power, healthy, specHash: mark.spec, target: { address, port: mark.port, root: '' } };
}

const isOf = ({ mark }: FoundStack, { spec, hash, image }: Work): boolean => mark.site === spec.siteId && mark.spec === hash && mark.image === image && mark.state !== 'kept';
const isAsMeant = (found: FoundStack, work: Work): boolean => isOf(found, work) && found.mark.state === 'live';

/** Letters, digits and a hyphen: it is in a header. */
const newVersion = (hash: string): string => `${hash.slice(0, 8)}-${Date.now().toString(36)}`;

/** What went wrong first is what has to be told; what is left then is found by its mark. */
function onlyOfProvider(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  throw error;
}
