import { setTimeout as sleep } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { Certificate } from '#api/certificate.js';
import { allPages, apiCommand, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { FailedError } from './exit-codes.js';
import { readText } from './read-text.js';
import { printable, renderTable, renderTime } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane domain certificate show shop.example.com
  hostplane domain certificate upload shop.example.com --chain fullchain.pem --key privkey.pem
  hostplane domain certificate renew shop.example.com
  hostplane domain certificate list --status failed

A domain whose records this plane sets is proven by a TXT record, which it sets, looks for and removes (dns-01); the edge proves all others (http-01), for which port 80
of the domain has to lead to it. "show" says which, what was expected and what was found. That of the base domain: hostplane edge certificate`;

/** A domain's, or the plane's own. */
export type AnyCertificate = Omit<Certificate, 'siteId'> & { readonly siteId?: string };

const POLL_MS = 500;
const PROVEN_BY = { 'http-01': 'the edge (http-01)', 'dns-01': 'a TXT record that this plane sets (dns-01)', none: 'nothing: its authority asks for no proof' };

/** `hostplane domain certificate …`. */
export function addCertificateCommands(domain: Command, io: Io): void {
  const certificate = domain.command('certificate').description('certificates, by which domains are served with HTTPS').addHelpText('after', examples);
  apiCommand(certificate, 'list', 'list certificates')
    .option('--site <site>', 'only those of this site')
    .addOption(new Option('--status <status>', 'only those that are so').choices(['requested', 'issuing', 'issued', 'deployed', 'renewing', 'failed', 'revoking', 'revoked', 'removing']))
    .option('--limit <n>', 'how many at most', wholeNumber, 1000)
    .action(withSession(io, list));
  apiCommand(certificate, 'show <domain>', "show a domain's certificate").action(withSession(io, show));
  operationCommand(certificate, 'upload <domain>', 'serve a certificate of your own')
    .requiredOption('--chain <file>', 'PEM: the certificate first, then those that lead to a root')
    .requiredOption('--key <file>', 'PEM of its private key, without a passphrase')
    .action(withSession(io, upload));
  operationCommand(certificate, 'renew <domain>', 'get another certificate now').option('--new-key', 'with another key').action(withSession(io, renew));
  operationCommand(certificate, 'revoke <domain>', 'have it revoked, and forget it')
    .addOption(new Option('--reason <reason>', 'why').choices(['unspecified', 'keyCompromise', 'superseded', 'cessationOfOperation']))
    .action(withSession(io, revoke));
  operationCommand(certificate, 'withdraw <domain>', 'serve an uploaded certificate no more').action(withSession(io, withdraw));
}

async function list({ client, terminal }: Session, options: { site?: string; status?: Certificate['status']; limit: number }): Promise<void> {
  const items = await allPages(options.limit, async (cursor, limit) => (await client.call('listCertificates', { query: { cursor, limit, siteId: options.site, status: options.status } })).body);
  const rows = items.map((one) => [one.domain, one.status, one.issuer ?? one.authority, one.notAfter ? renderTime(one.notAfter) : '', one.renewAt ? renderTime(one.renewAt) : '', one.lastError ?? warningOf(one) ?? '']);
  terminal.table({ items }, ['DOMAIN', 'STATUS', 'ISSUER', 'ENDS (UTC)', 'RENEWAL (UTC)', 'PROBLEM'], rows, 'No certificates.');
}

async function show(session: Session, name: string): Promise<void> {
  printCertificate(session, (await session.client.call('showCertificate', { params: { name } })).body);
}

async function upload(session: Session, name: string, options: { chain: string; key: string }): Promise<void> {
  const [chain, key] = await Promise.all([readText(options.chain), readText(options.key)]);
  const { body } = await session.client.call('uploadCertificate', { params: { name }, body: { chain, key } });
  await finish(session, body, 'deployed');
}

async function renew(session: Session, name: string, { newKey }: { newKey?: boolean }): Promise<void> {
  const { body } = await session.client.call('renewCertificate', { params: { name }, body: { newKey } });
  await finish(session, body, 'deployed');
}

async function revoke(session: Session, name: string, { reason }: { reason?: 'unspecified' | 'keyCompromise' | 'superseded' | 'cessationOfOperation' }): Promise<void> {
  const { body } = await session.client.call('revokeCertificate', { params: { name }, body: { reason } });
  await finish(session, body, 'revoked');
}

async function withdraw(session: Session, name: string): Promise<void> {
  const { body } = await session.client.call('withdrawCertificate', { params: { name } });
  session.terminal.fields(body, { Withdrawn: body.domain });
}

async function finish(session: Session, first: Certificate, goal: Certificate['status']): Promise<void> {
  const look = async (): Promise<Certificate> => (await session.client.call('showCertificate', { params: { name: first.domain } })).body;
  printCertificate(session, await settled(session, first, goal, look, `hostplane domain certificate show ${first.domain}`));
}

/** Watches a certificate until it is as it should be, and says each change; with --no-wait answers at once. */
export async function settled<C extends AnyCertificate>({ terminal, options }: Session, first: C, goal: Certificate['status'], look: () => Promise<C>, again: string): Promise<C> {
  if (options.wait === false) return first;
  const end = Date.now() + (options.timeout ?? 300) * 1000;
  let said = '';
  for (let last = first; ; await sleep(POLL_MS)) {
    const line = `${last.domain}: ${last.status}${last.lastError ? `. ${last.lastError}` : ''}`;
    if (line !== said) terminal.note(printable((said = line)));
    if (last.status === goal) return last;
    if (last.status === 'failed') throw new FailedError(`The certificate of ${last.domain} failed${last.failedStep ? ` at ${last.failedStep}` : ''}: ${last.lastError ?? 'no reason is known'}`);
    if (Date.now() > end) throw new FailedError(`The certificate of ${last.domain} is still ${last.status}. It goes on; see it again with: ${again}`);
    last = await look();
  }
}

export function printCertificate({ terminal }: Session, one: AnyCertificate): void {
  if (terminal.isJson) return terminal.json(one);
  const time = (value: string | undefined): string | undefined => value && renderTime(value);
  terminal.fields(one, {
    Domain: one.domain, Status: one.status, Warning: warningOf(one), Failed: one.failedStep, Problem: one.lastError, 'Next try': time(one.nextTryAt), 'Comes from': one.authority, Issuer: one.issuer,
    Names: one.names.join(', '), 'Proven by': one.proof && PROVEN_BY[one.proof.kind], 'Next look': time(one.proof?.nextLookAt), 'Given up': time(one.proof?.deadlineAt), 'Not removed': one.proof?.removalError, From: time(one.notBefore), Until: time(one.notAfter), Renewal: time(one.renewAt), Serial: one.serial, SHA256: one.fingerprint, Site: one.siteId,
  });
  if (one.proof?.records) terminal.line(`\nRecords that prove it\n${renderTable(['TYPE', 'NAME', 'VALUE'], one.proof.records.map(({ type, name: at, value }) => [type, at, value]))}`);
  const found = one.proof?.found?.map(({ resolver, type, name: at, values, error }) => [resolver, type, at, error ?? (values.join(', ') || 'nothing')]) ?? [];
  if (found.length > 0) terminal.line(`\nFound\n${renderTable(['RESOLVER', 'TYPE', 'NAME', 'VALUE'], found)}`);
}

const warningOf = ({ expiresInDays, notAfter }: AnyCertificate): string | undefined => (expiresInDays === undefined ? undefined : `ends within ${expiresInDays} days (${notAfter ? renderTime(notAfter) : ''}) and was not renewed`);
