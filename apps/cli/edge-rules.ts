import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { EdgeRulesChange, ShownEdgeRules } from '#api/edge-rules.js';
import { bytes, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { FailedError, UsageError } from './exit-codes.js';
import { readValue } from './hidden-input.js';
import { readText } from './read-text.js';
import { printable } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane edge rules shop --https-only on --hsts 31536000 --hsts-subdomains
  hostplane edge rules shop --user ann                   asks for her password
  hostplane edge rules shop --allow 192.0.2.0/24,2001:db8::/32
  hostplane edge rules shop --maintenance 'Back at noon.'
  hostplane edge rules shop --maintenance off --page 404=./not-found.html`;

const POLL_MS = 200;

interface RuleOptions {
  readonly httpsOnly?: 'on' | 'off';
  readonly hsts?: number | false;
  readonly hstsSubdomains?: boolean;
  readonly hstsPreload?: boolean;
  readonly maxBody?: number | false;
  readonly targetTimeout?: number | false;
  readonly user?: string;
  readonly removeUser: readonly string[];
  readonly allow?: string[];
  readonly deny?: string[];
  readonly maintenance?: string;
  readonly retryAfter?: number;
  readonly page: readonly string[];
}

const several = (said: string, all: string[]): string[] => [...all, said];
/** False, for commander takes null for an option that was not read. */
const orOff = <T>(read: (text: string) => T, off = 'off') => (text: string): T | false => (text === off ? false : read(text));
const ranges = (text: string): string[] => (text === 'none' ? [] : text.split(',').map((one) => one.trim()));
const seconds = (text: string): number => (text === '0' ? 0 : wholeNumber(text));

/** `hostplane edge rules`: how the edge treats a site's visitors. A password never comes from an argument: others could read it in the list of processes. */
export function addRulesCommand(edge: Command, io: Io): void {
  operationCommand(edge, 'rules <site>', "how the edge treats a site's visitors: shows it, or changes what is said")
    .addOption(new Option('--https-only <switch>', 'send visitors who come by HTTP on to HTTPS').choices(['on', 'off']))
    .option('--hsts <seconds>', 'tell browsers to come by HTTPS only for so long; off: say nothing', orOff(seconds))
    .option('--hsts-subdomains', 'the same for every name below')
    .option('--hsts-preload', "let the site be put on the browsers' own list")
    .option('--max-body <size>', "greatest upload, for example 8M; default: the host's", orOff(bytes, 'default'))
    .option('--target-timeout <seconds>', "how long the site may keep silent; default: the host's", orOff(wholeNumber, 'default'))
    .option('--user <name>', 'let this user in; the password is read from standard input, or asked for')
    .option('--remove-user <name>', 'may be said again', several, [])
    .option('--allow <ranges>', 'IP ranges that may come in, with commas between them, and others not; none', ranges)
    .option('--deny <ranges>', 'IP ranges that may not come in; none', ranges)
    .option('--maintenance <text>', 'tell every visitor this in place of the site; off')
    .option('--retry-after <seconds>', 'when visitors may try again', wholeNumber)
    .option('--page <status=file>', "a page for 404, 502 or 503 from this HTML file; 404=site:<path>: from the site's own; 404=off. May be said again", several, [])
    .addHelpText('after', examples)
    .action(withSession(io, rules));
}

async function rules(session: Session, id: string, options: RuleOptions): Promise<void> {
  const body = await changeOf(session, options);
  const { client, terminal } = session;
  const shown = async (): Promise<ShownEdgeRules> => (await client.call('showEdgeRules', { params: { id } })).body;
  if (Object.keys(body).length === 0) return print(session, await shown());
  if (options.removeUser.length > 0) {
    const { users } = await shown();
    for (const name of options.removeUser.filter((one) => !users.includes(one))) terminal.note(printable(`${name} was not let in: there is nothing to take back.`));
  }
  print(session, await followed(session, (await client.call('changeEdgeRules', { params: { id }, body })).body));
}

async function changeOf({ terminal }: Session, given: RuleOptions): Promise<EdgeRulesChange> {
  const { httpsOnly, hsts, maxBody, targetTimeout, user, removeUser, allow, deny } = given;
  if (hsts === undefined && (given.hstsSubdomains || given.hstsPreload)) throw new UsageError('--hsts-subdomains and --hsts-preload need --hsts <seconds>.');
  if (given.retryAfter !== undefined && given.maintenance === undefined) throw new UsageError('--retry-after needs --maintenance <text>.');
  const password = user === undefined ? undefined : await readValue(terminal.io, `Password of ${user}`);
  if (user !== undefined && password === undefined) throw new UsageError('A password is needed: on standard input, or typed when it is asked for.');
  const users = { ...Object.fromEntries(removeUser.map((name) => [name, null])), ...(user !== undefined && password !== undefined ? { [user]: { password } } : {}) };
  return {
    ...(httpsOnly && { httpsOnly: httpsOnly === 'on' }),
    ...(hsts !== undefined && { hsts: hsts === false ? null : { maxAgeSeconds: hsts, includeSubDomains: given.hstsSubdomains ?? false, preload: given.hstsPreload ?? false } }),
    ...(maxBody !== undefined && { maxBodyBytes: maxBody === false ? null : maxBody }),
    ...(targetTimeout !== undefined && { targetTimeoutSeconds: targetTimeout === false ? null : targetTimeout }),
    ...(Object.keys(users).length > 0 && { users }),
    ...(allow && { allow }),
    ...(deny && { deny }),
    ...(given.maintenance !== undefined && { maintenance: given.maintenance === 'off' ? null : { text: given.maintenance, retryAfterSeconds: given.retryAfter ?? 300 } }),
    ...(given.page.length > 0 && { errorPages: Object.fromEntries(await Promise.all(given.page.map(pageOf))) }),
  };
}

async function pageOf(said: string): Promise<[string, { html: string } | { file: string } | null]> {
  const [, status, from] = /^(404|502|503)=(.+)$/.exec(said) ?? [];
  if (status === undefined || from === undefined) throw new UsageError(`"${said}" is not like 404=./not-found.html; the status is 404, 502 or 503.`);
  if (from === 'off') return [status, null];
  return [status, from.startsWith('site:') ? { file: from.slice('site:'.length) } : { html: await readText(from) }];
}

/** Waits until the edge follows, unless --no-wait. */
async function followed({ client, terminal, options }: Session, first: ShownEdgeRules): Promise<ShownEdgeRules> {
  let last = first;
  let said: string | undefined;
  for (const end = Date.now() + (options.timeout ?? 300) * 1000; options.wait !== false && last.status === 'changing'; await sleep(POLL_MS)) {
    if (last.lastError && last.lastError !== said) terminal.note(printable(`The edge does not follow yet and is asked again: ${(said = last.lastError)}`));
    if (Date.now() > end) throw new FailedError(`The edge does not follow yet${said ? `: ${said}` : '.'} It goes on.`);
    last = (await client.call('showEdgeRules', { params: { id: first.siteId } })).body;
  }
  if (last.status === 'refused') throw new FailedError(`The edge refused: ${last.lastError ?? 'no reason is known'}\nWhat was before stands again.`);
  return last;
}

function print({ terminal }: Session, rules: ShownEdgeRules): void {
  const { hsts, maintenance } = rules;
  const pages = Object.entries(rules.errorPages).map(([status, { file, html }]) => `${status} (${file ?? `${html?.length ?? 0} characters`})`);
  terminal.fields(rules, {
    Edge: { served: 'follows', changing: 'is told', waiting: 'is told when the site goes live', refused: 'refused the last change' }[rules.status],
    'HTTPS only': rules.httpsOnly ? 'yes' : 'no',
    HSTS: hsts && `${hsts.maxAgeSeconds} s${hsts.includeSubDomains ? ', subdomains too' : ''}${hsts.preload ? ', preload' : ''}`,
    'Greatest upload': rules.maxBodyBytes && `${rules.maxBodyBytes} bytes`,
    'Time-out': rules.targetTimeoutSeconds && `${rules.targetTimeoutSeconds} s`,
    Users: rules.users.join(', ') || undefined,
    Allowed: rules.allow.join(', ') || undefined,
    Denied: rules.deny.join(', ') || undefined,
    Maintenance: maintenance && printable(maintenance.text || 'yes'),
    'Own pages': pages.join(', ') || undefined,
    Error: rules.lastError,
  });
}
