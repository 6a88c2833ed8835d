import type { Command } from 'commander';
import type { Scope, Token } from '#api/token.js';
import { describeRights, type Right } from '#domain/access/rights.js';
import { allPages, apiCommand, withSession, type Session } from './command.js';
import { timeOf } from './events.js';
import { UsageError } from './exit-codes.js';
import { renderTime } from './table.js';
import type { Io } from './terminal.js';

interface CreateOptions {
  readonly scope: readonly Scope[];
  readonly project: readonly string[];
  readonly verb: readonly Right[];
  readonly owner?: string;
  readonly expires?: string;
}

const rightsHelp = `
Rights, and the least role in a project that has them:
${describeRights().map(({ right, least, what }) => `  ${right.padEnd(16)} ${(least ?? '').padEnd(10)} ${what}`).join('\n')}`;

export function addTokenCommands(program: Command, io: Io): void {
  const token = program.command('token').description('who may come in, and what they may do');
  apiCommand(token, 'create <name>', 'issue a token; it is shown once')
    .option('--scope <scope>', 'read, write or admin; may be said again (default: read and write)', again, [])
    .option('--project <project>', 'only for this project, by name or id; may be said again', again, [])
    .option('--verb <right>', 'only this right, for example sites:deploy, which comes with seeing sites; may be said again', again, [])
    .addHelpText('after', rightsHelp)
    .option('--owner <owner>', 'for somebody else, with an admin token')
    .option('--expires <when>', 'a time (2027-01-01T00:00:00Z) or after (12h, 30d)')
    .action(withSession(io, create));
  apiCommand(token, 'list', 'list tokens').option('--all', "every owner's, with an admin token").action(withSession(io, list));
  apiCommand(token, 'revoke <token-id>', 'revoke a token, for good').action(withSession(io, revoke));
}

async function create({ client, terminal }: Session, name: string, options: CreateOptions): Promise<void> {
  const expiresAt = options.expires === undefined ? undefined : expiryOf(options.expires, Date.now());
  const scopes = said(options.scope);
  const [projects, verbs] = [said(options.project), said(options.verb)];
  const { body } = await client.call('issueToken', { body: { name, owner: options.owner, expiresAt, scopes, projects, verbs } });
  if (terminal.isJson) return terminal.json(body);
  terminal.line(body.token ?? '');
  terminal.note(`Token "${body.name}" of ${body.owner} (${allowedBy(body)}). It is shown only now: keep it.`);
}

async function list({ client, terminal }: Session, options: { all?: boolean }): Promise<void> {
  const items = await allPages(1000, async (cursor, limit) => (await client.call('listTokens', { query: { cursor, limit, ...(options.all ? { all: 'true' as const } : {}) } })).body);
  const rows = items.map((one) => [
    one.name, one.owner, allowedBy(one), one.revokedAt ? 'revoked' : one.expiresAt ? `until ${renderTime(one.expiresAt)}` : 'valid',
    one.lastUsedAt ? renderTime(one.lastUsedAt) : 'never', one.id,
  ]);
  terminal.table({ items }, ['NAME', 'OWNER', 'ALLOWS', 'STATE', 'LAST USED (UTC)', 'ID'], rows, 'No tokens.');
}

async function revoke({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('revokeToken', { params: { id } });
  terminal.fields(body, { Revoked: body.name });
}

const again = (one: string, all: string[]): string[] => [...all, one];

/** What was said again and again; undefined when it was not said at all. */
const said = <T>(all: readonly T[]): T[] | undefined => (all.length > 0 ? [...all] : undefined);

/** What a token allows, in one line. */
export function allowedBy({ scopes, projects, verbs }: Pick<Token, 'scopes' | 'projects' | 'verbs'>): string {
  return [(verbs ?? scopes).join(', '), ...(projects ? [`in ${projects.length === 1 ? projects[0] : `${projects.length} projects`}`] : [])].join(' ');
}

/** 30d is in thirty days. */
export function expiryOf(when: string, nowMs: number): string {
  if (/^\d+[smhd]$/.test(when)) return new Date(2 * nowMs - timeOf(when, nowMs)).toISOString();
  if (Number.isNaN(Date.parse(when))) throw new UsageError(`--expires ${when}: a time such as 2027-01-01T00:00:00Z, or a while such as 30d is needed.`);
  return new Date(when).toISOString();
}
