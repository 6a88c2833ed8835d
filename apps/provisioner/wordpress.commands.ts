import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Logger } from '@nestjs/common';
import type { CommandStarted } from '#contracts/gen/hostplane/v1/command.js';
import type { CommandOutput, RunWordPress } from '#contracts/gen/hostplane/v1/workload.js';
import { deriveId } from '#contracts/ids.js';
import type { Cause } from '#contracts/message.js';
import { commandDecider } from '#domain/command/command.js';
import { wpProgram } from '#domain/command/wp-program.js';
import { Refusal } from '#domain/refusal.js';
import { authorized, projectOf, type Within } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
import type { CommandResult } from '#providers/site-runtime.js';
import { commandOutput } from './command-output.js';
import { Watch } from './health.poller.js';
import { Runtimes } from './runtimes.js';

/** What an engine says of a program that is not there, and a program of another one that it needs. */
const MISSING = [126, 127];
const IS_THERE = { argv: ['sh', '-c', 'command -v wp'], stdin: '' };

/** How long whoever asks is kept waiting for the end of a command. */
export abstract class Patience {
  abstract readonly withinMs: number;
}

interface Ended {
  readonly result: CommandResult;
  readonly position: number;
}

/** Runs wp-cli for people, in the sites of this host. */
@Controller()
export class WordPressCommands {
  private readonly log = new Logger('wordpress');

  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
    private readonly host: Watch,
    private readonly patience: Patience,
  ) {}

  @OnAsk('RunWordPress')
  async run({ siteId, runtime: name, arguments: given, input }: RunWordPress, cause: Cause): Promise<CommandOutput> {
    const within = await projectOf(this.store, siteId);
    const runtime = this.runtimes.get(name);
    const { run } = runtime;
    if (!run) throw new Refusal('unsupported', `No command can be run in a site on "${name}": there is no way in. wp-cli takes a site on docker.`);
    const command = { commandId: deriveId(cause.id, 'command'), siteId, projectId: within.projectId, hostId: this.host.hostId, program: wpProgram(given) };
    await this.begin(command, within, cause);
    const { result, position } = await this.inTime(command, this.ended(command, cause, () => run.call(runtime, siteId, { argv: ['wp', ...given], stdin: input })));
    if (MISSING.includes(result.exitCode) && (await run.call(runtime, siteId, IS_THERE)).exitCode !== 0) {
      throw new Refusal('unsupported', 'The image of this site has no wp-cli: choose one that has it with HOSTPLANE_WORDPRESS_IMAGE, and update the site.');
    }
    return commandOutput(result, position);
  }

  /** It is in the log before it is run, without what it was given: whoever is removed from the project meanwhile is refused, and nothing is run twice for one request. */
  private async begin(command: CommandStarted, within: Within, cause: Cause): Promise<void> {
    const { duplicate } = await handle(this.store, cause, [on(commandDecider, command.commandId, { type: 'StartCommand', command })], { then: () => [authorized(cause, within, 'sites:exec')] });
    if (duplicate) throw new Refusal('conflict', `"${command.program}" was run for this request already. Send another Idempotency-Key to run it again.`);
  }

  /** Its end, or a refusal while it goes on: whoever asks would give up waiting, and not know whether it runs. */
  private async inTime({ program, siteId }: CommandStarted, end: Promise<Ended>): Promise<Ended> {
    const { withinMs } = this.patience;
    const inTime = new AbortController();
    const first = await Promise.race([end.finally(() => inTime.abort()), sleep(withinMs, undefined, { signal: inTime.signal }).catch(() => end)]);
    if (first) return first;
    end.catch((err: unknown) => this.log.error({ err, siteId }, 'A command that nobody waited for any more failed'));
    throw new Refusal('unfinished', `"${program}" has not ended after ${withinMs / 1000} s, and goes on in the site: its end will be among the site's events.`);
  }

  private async ended({ commandId }: CommandStarted, cause: Cause, work: () => Promise<CommandResult>): Promise<Ended> {
    const end = (exitCode: number, error: string) => handle(this.store, { ...cause, id: deriveId(cause.id, 'ended') }, [on(commandDecider, commandId, { type: 'EndCommand', exitCode, error })]);
    const result = await work().catch(async (error: unknown) => {
      if (!(error instanceof ProviderError)) throw error;
      await end(0, error.message);
      throw error.retryable ? error : new Refusal('conflict', error.message);
    });
    const { position } = await end(result.exitCode, '');
    return { result, position };
  }
}
