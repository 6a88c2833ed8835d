import type { Command } from 'commander';
import { apiCommand, withSession, type Session } from './command.js';
import { FailedError } from './exit-codes.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane wp journal -- plugin list
  hostplane wp journal -- user update admin --user_email=me@example.com`;

/** `hostplane wp`: WordPress' own command line, inside of a site. */
export function addWordPressCommand(program: Command, io: Io): void {
  apiCommand(program, 'wp <site> <arguments...>', "run WordPress' command line (wp-cli) in a site whose image has it")
    .addHelpText('after', examples)
    .action(withSession(io, runWordPress));
}

async function runWordPress({ client, terminal }: Session, id: string, args: string[]): Promise<void> {
  const { body } = await client.call('runWordPress', { params: { id }, body: { arguments: args } });
  if (terminal.isJson) terminal.json(body);
  else {
    terminal.io.out.write(body.stdout);
    terminal.io.err.write(body.stderr);
    if (body.isCut) terminal.note('… it said more than can be shown.');
  }
  if (body.exitCode !== 0) throw new FailedError(`wp ended with exit code ${body.exitCode}.`);
}
