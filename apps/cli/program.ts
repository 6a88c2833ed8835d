import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { UnreachableError } from '#api/client.js';
import { ProblemError } from '#api/problem.js';
import { addBackupCommands } from './backups.js';
import { addDomainCommands } from './domains.js';
import { addEdgeCommands } from './edge.js';
import { addEventCommands } from './events.js';
import { exitCodeOf, exitCodes, exitCodesHelp } from './exit-codes.js';
import { addOperationCommands } from './operations.js';
import { addProjectCommands } from './projects.js';
import { addSecretCommands } from './secrets.js';
import { addSignInCommands } from './sign-in.js';
import { addSiteCommands } from './sites.js';
import { printable } from './table.js';
import type { Io } from './terminal.js';
import { addWordPressCommand } from './wordpress.js';
import { addTokenCommands } from './tokens.js';

const help = `
Examples:
  hostplane site create hello --dir ./public      a folder goes live at http://hello.localhost:8080
  hostplane site list                             what is there, and how it is
  hostplane events tail                           what happens, as it happens
  hostplane site show hello --json                the same for scripts
${exitCodesHelp}`;

function programOf(io: Io): Command {
  const program = new Command('hostplane')
    .description('Put sites live, keep them live, and see what was done.')
    .configureOutput({ writeOut: (text) => void io.out.write(text), writeErr: (text) => void io.err.write(text) })
    .configureHelp({ sortSubcommands: true })
    .showHelpAfterError('(see --help)')
    .exitOverride()
    .addHelpText('after', help);
  addSiteCommands(program, io);
  addWordPressCommand(program, io);
  addBackupCommands(program, io);
  addDomainCommands(program, io);
  addEdgeCommands(program, io);
  addProjectCommands(program, io);
  addOperationCommands(program, io);
  addEventCommands(program, io);
  addTokenCommands(program, io);
  addSecretCommands(program, io);
  addSignInCommands(program, io);
  return program;
}

/** Runs one command line and answers the exit code. Nothing is thrown, and the process is left alone. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    await programOf(io).parseAsync([...argv], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (io.signal?.aborted) return 130;
    if (!(error instanceof CommanderError)) io.err.write(`${faultOf(error, ownOf(argv).includes('--json'))}\n`);
    return exitCodeOf(error);
  }
}

/** What follows two hyphens is not ours. */
function ownOf(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

/** What went wrong, for people or as JSON. The message of a problem names its first field already. */
export function faultOf(error: unknown, isJson: boolean): string {
  if (error instanceof ProblemError) {
    if (isJson) return JSON.stringify({ code: error.code, detail: error.message, ...error.extras });
    const untold = (error.extras.errors ?? []).filter(({ message }) => !error.message.includes(message));
    const fields = untold.map(({ field, message }) => `\n  ${printable(field)}: ${printable(message)}`).join('');
    const hint = error.code === 'unauthenticated' ? '\nSign in with: hostplane login' : '';
    return `${pc.red('✖')} ${printable(error.message)}${fields}${hint}`;
  }
  const text = (error instanceof Error ? error.message : String(error)).split('\n').map(printable).join('\n');
  if (isJson) return JSON.stringify({ code: error instanceof UnreachableError ? 'unreachable' : 'failed', detail: text });
  return `${pc.red('✖')} ${text}`;
}
