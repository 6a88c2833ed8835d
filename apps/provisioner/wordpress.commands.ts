import { Controller } from '@nestjs/common';
import type { CommandOutput, RunWordPress } from '#contracts/gen/hostplane/v1/workload.js';
import type { Cause } from '#contracts/message.js';
import { Refusal } from '#domain/refusal.js';
import { mustBeMember, projectOf } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnAsk } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
import { Runtimes } from './runtimes.js';

/** What an answer carries of each of a command's two outputs, in characters: the bus takes a megabyte. */
const MOST_SHOWN = 200_000;
/** What a shell, or an engine, says of a program that is not there. */
const MISSING = [126, 127];

/** Runs wp-cli for people, in the sites of this host. */
@Controller()
export class WordPressCommands {
  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
  ) {}

  /** It is no append that a removal of the member could come before: so their right is looked up once more, in the log, before anything is run. */
  @OnAsk('RunWordPress')
  async run({ siteId, runtime: name, arguments: given }: RunWordPress, cause: Cause): Promise<CommandOutput> {
    await mustBeMember(this.store, cause, await projectOf(this.store, siteId), 'sites:exec');
    const runtime = this.runtimes.get(name);
    if (!runtime.run) throw new Refusal('unsupported', `No command can be run in a site on "${name}".`);
    const { exitCode, stdout, stderr } = await runtime.run(siteId, { argv: ['wp', ...given], stdin: '' }).catch((error: unknown) => {
      throw error instanceof ProviderError && !error.retryable ? new Refusal('conflict', error.message) : error;
    });
    if (MISSING.includes(exitCode)) throw new Refusal('unsupported', "The image of this site has no wp-cli: choose one that has it with HOSTPLANE_WORDPRESS_IMAGE, and update the site.");
    const [out, err] = [stdout.slice(0, MOST_SHOWN), stderr.slice(0, MOST_SHOWN)];
    return { exitCode, stdout: out, stderr: err, isCut: out.length + err.length < stdout.length + stderr.length };
  }
}
