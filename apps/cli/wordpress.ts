import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { MOST_INPUT_BYTES } from '#api/site.js';
import { apiCommand, withSession, type Session } from './command.js';
import { FailedError, UsageError } from './exit-codes.js';
import { renderBytes } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane wp journal -- plugin list
  hostplane wp journal -- user update admin --user_email=me@example.com
  hostplane wp journal -- post create --post_title='From a file' - < post.html
  hostplane wp journal --input changes.sql -- db query`;

/** `hostplane wp`: WordPress' own command line, inside of a site. */
export function addWordPressCommand(program: Command, io: Io): void {
  apiCommand(program, 'wp <site> <arguments...>', "run WordPress' command line (wp-cli) in a site whose image has it")
    .option('--input <file>', 'what it reads from its standard input; - means our own, and so does a - among its arguments, but for an export')
    .showHelpAfterError('(its own options follow a --, as in: hostplane wp journal -- plugin list --status=active)')
    .addHelpText('after', examples)
    .action(withSession(io, runWordPress));
}

async function runWordPress({ client, terminal }: Session, id: string, args: string[], { input: file = impliedInput(args, terminal.io) }: { input?: string }): Promise<void> {
  const input = file === undefined ? undefined : await textOf(file, terminal.io);
  const { body } = await client.call('runWordPress', { params: { id }, body: { arguments: args, input } });
  if (terminal.isJson) terminal.json(body);
  else {
    terminal.io.out.write(body.stdout);
    terminal.io.err.write(body.stderr);
  }
  if (body.isCut) throw new FailedError(`It said more than can be shown, and this is only the beginning. wp ended with exit code ${body.exitCode}.`);
  if (body.exitCode !== 0) throw new FailedError(`wp ended with exit code ${body.exitCode}.`);
}

/** To wp-cli a lone hyphen is its standard input, and to an export its standard output. */
function impliedInput(args: readonly string[], { in: source }: Io): string | undefined {
  return args.includes('-') && !args.includes('export') && !source.isTTY ? '-' : undefined;
}

async function textOf(file: string, io: Io): Promise<string> {
  const [chunks, from]: [Buffer[], string] = [[], file === '-' ? 'Standard input' : file];
  let size = 0;
  try {
    for await (const chunk of (file === '-' ? io.in : createReadStream(file)) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if ((size += chunk.length) > MOST_INPUT_BYTES) throw new UsageError(`${from} has more than ${renderBytes(MOST_INPUT_BYTES)}, the most that a command can be given: give it in parts.`);
    }
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${from} is not text in UTF-8, which is all that a command can be given.`);
    if ((error as NodeJS.ErrnoException).syscall) throw new UsageError(`${from} cannot be read: ${(error as Error).message}`);
    throw error;
  }
}
