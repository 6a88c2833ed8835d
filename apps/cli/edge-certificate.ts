import { Option, type Command } from 'commander';
import type { EdgeCertificate } from '#api/certificate.js';
import { printCertificate, settled } from './certificates.js';
import { apiCommand, operationCommand, withSession, type Session } from './command.js';
import { renderTable, renderTime } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane edge certificate show
  hostplane edge certificate renew --new-key
  hostplane edge certificate revoke --reason keyCompromise`;

/** `hostplane edge certificate …` */
export function addEdgeCertificateCommands(edge: Command, io: Io): void {
  const certificate = edge.command('certificate').description('the certificate of the base domain, by which each site has HTTPS at once; for who runs the plane').addHelpText('after', examples);
  apiCommand(certificate, 'show', 'show it, and which hosts serve it').action(withSession(io, show));
  operationCommand(certificate, 'renew', 'get another one now').option('--new-key', 'with another key').action(withSession(io, renew));
  operationCommand(certificate, 'revoke', 'have it revoked, and serve it no more')
    .addOption(new Option('--reason <reason>', 'why').choices(['unspecified', 'keyCompromise', 'superseded', 'cessationOfOperation']))
    .action(withSession(io, revoke));
}

async function show(session: Session): Promise<void> {
  print(session, await look(session));
}

async function renew(session: Session, { newKey }: { newKey?: boolean }): Promise<void> {
  await finish(session, (await session.client.call('renewEdgeCertificate', { body: { newKey } })).body, 'deployed');
}

async function revoke(session: Session, { reason }: { reason?: 'unspecified' | 'keyCompromise' | 'superseded' | 'cessationOfOperation' }): Promise<void> {
  await finish(session, (await session.client.call('revokeEdgeCertificate', { body: { reason } })).body, 'revoked');
}

async function finish(session: Session, first: EdgeCertificate, goal: EdgeCertificate['status']): Promise<void> {
  print(session, await settled(session, first, goal, () => look(session), 'hostplane edge certificate show'));
}

async function look({ client }: Session): Promise<EdgeCertificate> {
  return (await client.call('showEdgeCertificate', {})).body;
}

function print(session: Session, one: EdgeCertificate): void {
  printCertificate(session, one);
  const { terminal } = session;
  if (terminal.isJson || one.hosts.length === 0) return;
  terminal.line(`\nHosts\n${renderTable(['HOST', 'STATUS', 'NEXT TRY (UTC)', 'PROBLEM'], one.hosts.map(({ hostId, status, nextTryAt, lastError }) => [hostId, status, nextTryAt ? renderTime(nextTryAt) : '', lastError ?? '']))}`);
}
