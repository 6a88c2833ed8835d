import { createTwoFilesPatch } from 'diff';
import { Option, type Command } from 'commander';
import type { EdgeConfig } from '#api/edge.js';
import { apiCommand, withSession, type Session } from './command.js';
import { addEdgeCertificateCommands } from './edge-certificate.js';
import { addRulesCommand } from './edge-rules.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane edge show > nginx.conf                     what the edge serves now
  hostplane edge show --at 2026-11-26T12:00:00Z        what it served then
  hostplane edge diff 1042 now                         what has changed since that position of the log
  hostplane edge show --format traefik > new.yml && mv new.yml hostplane.yml`;

interface ShowOptions {
  readonly host?: string;
  readonly at?: string;
  readonly format?: EdgeConfig['format'];
}

/** `hostplane edge …` */
export function addEdgeCommands(program: Command, io: Io): void {
  const edge = program.command('edge').description('what visitors come through').addHelpText('after', examples);
  addRulesCommand(edge, io);
  addEdgeCertificateCommands(edge, io);
  const ofHost = (command: Command): Command =>
    command.option('--host <host>', "whose edge (default: the plane's first host)").addOption(new Option('--format <format>', 'in what form (default: what the edge itself has)').choices(['nginx', 'traefik', 'routes']));
  ofHost(apiCommand(edge, 'show', "a host's configuration, rendered from the log; for who runs the plane")).option('--at <moment>', 'as it was at a position of the log, or at a time').action(withSession(io, show));
  ofHost(apiCommand(edge, 'diff <from> <to>', 'what changed between two positions or times; now is one too')).action(withSession(io, diff));
}

async function show(session: Session, options: ShowOptions): Promise<void> {
  const config = await configAt(session, options.at, options);
  const { terminal } = session;
  if (terminal.isJson) return terminal.json(config);
  terminal.io.out.write(config.text);
  terminal.note(`${config.edge} of host ${config.hostId}, revision ${config.revision}, ${config.isServed ? 'as the host confirmed it' : `${config.format} rendered anew (the host confirmed ${config.servedHash.slice(0, 12)})`} at position ${config.confirmedAt}, ${config.servedSince}`);
}

async function diff(session: Session, from: string, to: string, options: ShowOptions): Promise<void> {
  const [before, after] = await Promise.all([from, to].map((moment) => configAt(session, moment === 'now' ? undefined : moment, options)));
  const patch = createTwoFilesPatch(nameOf(before!), nameOf(after!), before!.text, after!.text, before!.servedSince, after!.servedSince);
  const { terminal } = session;
  if (terminal.isJson) terminal.json({ from: { ...before, text: undefined }, to: { ...after, text: undefined }, patch });
  else if (before!.text === after!.text) terminal.note('Nothing changed.');
  else terminal.io.out.write(patch.replace(/^=+\n/, ''));
}

const nameOf = ({ hostId, format, confirmedAt }: EdgeConfig): string => `${hostId}/${format}@${confirmedAt}`;

async function configAt({ client }: Session, at: string | undefined, { host, format }: ShowOptions): Promise<EdgeConfig> {
  return (await client.call('showEdge', { query: { host, at, format } })).body;
}
