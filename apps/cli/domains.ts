import { setTimeout as sleep } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { Domain } from '#api/domain.js';
import { ProblemError } from '#api/problem.js';
import { addCertificateCommands } from './certificates.js';
import { allPages, apiCommand, operationCommand, withSession, wholeNumber, type Session } from './command.js';
import { FailedError, UsageError } from './exit-codes.js';
import { printable, renderTable, renderTime } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane domain add hello shop.example.com
  hostplane domain add hello www.shop.example.com --redirect-to shop.example.com
  hostplane domain check shop.example.com`;

const POLL_MS = 500;
const PHASES = { setting: 'being set', set: 'set', removing: 'being removed', none: 'removed' };

export function addDomainCommands(program: Command, io: Io): void {
  const domain = program.command('domain').description('serve sites under names of your own').addHelpText('after', examples);
  operationCommand(domain, 'add <site> <domain>', 'attach a domain: says which records to set, and waits until it is active')
    .option('--redirect-to <hostname>', 'send visitors on to this other hostname of the site')
    .addOption(new Option('--redirect-status <status>', 'of the redirect').choices(['301', '308']))
    .action(withSession(io, add));
  apiCommand(domain, 'list <site>', 'list the domains of a site').option('--limit <n>', 'how many at most', wholeNumber, 1000).action(withSession(io, list));
  apiCommand(domain, 'show <domain>', 'show a domain: the records to set, and what was found').action(withSession(io, show));
  operationCommand(domain, 'check <domain>', 'look at its records now, and wait until it is active').action(withSession(io, check));
  apiCommand(domain, 'primary <domain>', 'have the site known by this domain').action(withSession(io, primary));
  operationCommand(domain, 'remove <domain>', 'give a domain up').action(withSession(io, remove));
  addCertificateCommands(domain, io);
}

async function add(session: Session, site: string, name: string, options: { redirectTo?: string; redirectStatus?: '301' | '308' }): Promise<void> {
  if (options.redirectStatus !== undefined && options.redirectTo === undefined) throw new UsageError('--redirect-status needs --redirect-to <hostname>.');
  const redirect = { redirectTo: options.redirectTo, redirectStatus: options.redirectStatus === '308' ? (308 as const) : options.redirectStatus && (301 as const) };
  const { body } = await session.client.call('addDomain', { params: { id: site }, body: { name, ...redirect } });
  const whose = body.managed ? `This plane sets these records itself, in its zone of ${printable(body.name)}` : `Set these records where the DNS of ${printable(body.name)} is kept`;
  session.terminal.note(`${whose}:\n${renderRecords(body.managed?.records ?? body.expected)}\n`);
  print(session, await settled(session, body));
}

async function list({ client, terminal }: Session, site: string, options: { limit: number }): Promise<void> {
  const items = await allPages(options.limit, async (cursor, limit) => (await client.call('listDomains', { params: { id: site }, query: { cursor, limit } })).body);
  const rows = items.map((one) => [one.name, one.status, roleOf(one), one.nextCheckAt ? renderTime(one.nextCheckAt) : '', one.lastError ?? '']);
  terminal.table({ items }, ['DOMAIN', 'STATUS', 'ROLE', 'NEXT CHECK (UTC)', 'MISSING'], rows, `No domains yet. Add one: hostplane domain add ${site} shop.example.com`);
}

async function show(session: Session, name: string): Promise<void> {
  print(session, (await session.client.call('showDomain', { params: { name } })).body);
}

async function check(session: Session, name: string): Promise<void> {
  const { body } = await session.client.call('checkDomain', { params: { name } });
  print(session, await settled(session, body));
}

async function primary(session: Session, name: string): Promise<void> {
  print(session, (await session.client.call('choosePrimaryDomain', { params: { name } })).body);
}

async function remove(session: Session, name: string): Promise<void> {
  const { body } = await session.client.call('removeDomain', { params: { name } });
  const ended = await settled(session, body);
  session.terminal.fields(ended, { [ended.status === 'removed' ? 'Removed' : 'Removing']: ended.name });
}

/** Watches a domain until it has come to rest, and says each change; with --no-wait answers at once. */
async function settled({ client, terminal, options }: Session, first: Domain): Promise<Domain> {
  if (options.wait === false) return first;
  const end = Date.now() + (options.timeout ?? 300) * 1000;
  const isRemoval = first.status === 'removing' || first.status === 'removed';
  let said = '';
  for (let last = first; ; await sleep(POLL_MS)) {
    const line = `${last.name}: ${last.status}${last.lastError ? `. ${last.lastError}` : ''}`;
    if (line !== said) terminal.note(printable((said = line)));
    if (last.status === 'active' && !last.nextCheckAt) return last;
    if (last.status === 'failed') throw new FailedError(`${last.name} failed: ${last.lastError ?? 'no reason is known'}\nOnce that is mended: hostplane domain check ${last.name}`);
    if (last.status === 'removed') return last;
    if (Date.now() > end) throw new FailedError(`${last.name} is still ${last.status}. It goes on; see it again with: hostplane domain show ${last.name}`);
    last = await client.call('showDomain', { params: { name: first.name } }).then(({ body }) => body, (error: unknown) => {
      if (isRemoval && error instanceof ProblemError && error.code === 'not-found') return { ...last, status: 'removed' as const };
      throw error;
    });
  }
}

function print({ terminal }: Session, domain: Domain): void {
  if (terminal.isJson) return terminal.json(domain);
  terminal.fields(domain, {
    Domain: domain.name, Status: domain.status, Role: roleOf(domain), [problemOf(domain)]: domain.lastError, 'Looked at': domain.lastCheckAt && `${renderTime(domain.lastCheckAt)} (${domain.checks} times)`,
    'Records by us': domain.managed && PHASES[domain.managed.phase], Tunnel: domain.tunnel,
    'Next look': domain.nextCheckAt && renderTime(domain.nextCheckAt), Deadline: domain.deadlineAt && renderTime(domain.deadlineAt), Site: domain.siteId, HTTPS: httpsOf(domain),
  });
  terminal.line(domain.managed ? `\nRecords that this plane sets\n${renderRecords(domain.managed.records)}` : `\nRecords to set\n${renderRecords(domain.expected)}`);
  const rows = domain.found.map(({ resolver, type, name, values, error }) => [resolver, type, name, error ?? (values.join(', ') || 'nothing')]);
  if (rows.length > 0) terminal.line(`\nFound\n${renderTable(['RESOLVER', 'TYPE', 'NAME', 'VALUE'], rows)}`);
}

/** What the last error is about. */
function problemOf({ status, failedStep }: Domain): string {
  if (!failedStep) return 'Missing';
  return status === 'failed' ? `Failed (${failedStep})` : `Delayed (${failedStep})`;
}

function httpsOf({ certificate: one }: Domain): string {
  if (!one) return 'with a certificate that the edge has signed itself';
  const until = one.notAfter ? `, until ${renderTime(one.notAfter)}` : '';
  return `${one.status}${one.issuer ? `, by ${one.issuer}` : ''}${until}${one.lastError ? `. ${one.lastError}` : ''}`;
}

function renderRecords(records: Domain['expected']): string {
  const why = (purpose: string): string => (purpose === 'ownership' ? 'proves that it is yours' : 'leads here (one is enough)');
  return renderTable(['TYPE', 'NAME', 'VALUE', 'WHY'], records.map(({ type, name, value, purpose, proxied }) => [type, name, value, `${why(purpose)}${proxied ? ', proxied' : ''}`]));
}

function roleOf({ primary: isPrimary, redirectTo, redirectTargetServed }: Domain): string {
  if (redirectTo) return redirectTargetServed ? `redirects to ${redirectTo}` : `serves the site, for ${redirectTo} is not served; redirects there once it is`;
  return isPrimary ? 'primary' : 'alias';
}
