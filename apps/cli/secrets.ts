import type { Command } from 'commander';
import type { Secret } from '#api/secret.js';
import { allPages, apiCommand, wholeNumber, withSession, type Session } from './command.js';
import { UsageError } from './exit-codes.js';
import { readValue } from './hidden-input.js';
import { renderTime } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane secret set shop mail-password                 asks for the value, and does not show it
  hostplane secret set shop mail-password < password.txt
  hostplane secret set shop api-key --generate 40
  hostplane secret reveal shop api-key`;

/** `hostplane secret …` and `hostplane vault …`. A value never comes from an argument: others could read it in the list of processes. */
export function addSecretCommands(program: Command, io: Io): void {
  const secret = program.command('secret').description('what a project keeps sealed').addHelpText('after', examples);
  apiCommand(secret, 'list <project>', 'list secrets, never their values').action(withSession(io, list));
  apiCommand(secret, 'set <project> <name>', 'store a value; it is read from standard input, or asked for')
    .option('--generate <characters>', 'the vault makes a value of this length', wholeNumber)
    .action(withSession(io, set));
  apiCommand(secret, 'reveal <project> <name>', 'be told the value; recorded').action(withSession(io, reveal));
  apiCommand(secret, 'rotate <project> <name>', 'give a generated secret a new value').action(withSession(io, rotate));
  apiCommand(secret, 'revoke <project> <name>', 'revoke a secret that no site needs').action(withSession(io, revoke));
  const vault = program.command('vault').description('the keys of all projects, for who runs the plane');
  apiCommand(vault, 'rotate', "wrap every project's keys with a new master key").action(withSession(io, rotateMasterKey));
}

async function list({ client, terminal }: Session, id: string): Promise<void> {
  const items = await allPages(1000, async (cursor, limit) => (await client.call('listSecrets', { params: { id }, query: { cursor, limit } })).body);
  const rows = items.map((one) => [one.name, String(one.version), one.isGenerated ? 'the vault' : 'a member', one.siteId ?? '', renderTime(one.updatedAt), one.openedAt ? renderTime(one.openedAt) : 'never']);
  terminal.table({ items }, ['NAME', 'VERSION', 'MADE BY', 'SITE', 'SINCE (UTC)', 'LAST OPENED'], rows, 'No secrets.');
}

async function set({ client, terminal }: Session, id: string, name: string, { generate }: { generate?: number }): Promise<void> {
  const value = generate === undefined ? await readValue(terminal.io, `Value of ${name}`) : undefined;
  if (generate === undefined && value === undefined) throw new UsageError('A value is needed: on standard input, typed when it is asked for, or --generate <characters>.');
  const { body } = await client.call('storeSecret', { params: { id, name }, body: generate === undefined ? { value } : { generate } });
  terminal.fields(body, fieldsOf(body));
}

async function reveal({ client, terminal }: Session, id: string, name: string): Promise<void> {
  const { body } = await client.call('revealSecret', { params: { id, name } });
  if (terminal.isJson) terminal.json(body);
  else terminal.line(body.value);
}

async function rotate({ client, terminal }: Session, id: string, name: string): Promise<void> {
  const { body } = await client.call('rotateSecret', { params: { id, name } });
  terminal.fields(body, fieldsOf(body));
}

async function revoke({ client, terminal }: Session, id: string, name: string): Promise<void> {
  const { body } = await client.call('revokeSecret', { params: { id, name } });
  terminal.fields(body, { Revoked: body.name });
}

async function rotateMasterKey({ client, terminal }: Session): Promise<void> {
  const { body } = await client.call('rotateMasterKey', {});
  terminal.fields(body, { From: body.from, To: body.to, Keyrings: body.rewrapped });
}

const fieldsOf = ({ name, version, isGenerated, updatedAt }: Secret): Record<string, string | number> => ({ Name: name, Version: version, 'Made by': isGenerated ? 'the vault' : 'a member', Since: renderTime(updatedAt) });
