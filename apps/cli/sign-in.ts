import type { Command } from 'commander';
import { ApiClient } from '#api/client.js';
import { apiCommand, withSession, type Session } from './command.js';
import { chooseContext, readCredentials, writeCredentials } from './credentials.js';
import { FailedError, UsageError } from './exit-codes.js';
import { readHidden } from './hidden-input.js';
import { Terminal, type Io } from './terminal.js';
import { allowedBy } from './tokens.js';

export function addSignInCommands(program: Command, io: Io): void {
  program
    .command('login')
    .description('sign in; the token is asked for when it is not given')
    .option('--url <url>', 'the server')
    .option('--token <token>', 'the token; - reads it from standard input')
    .option('--json', 'print JSON')
    .action((options: { url?: string; token?: string; json?: boolean }) => login(io, options));
  program
    .command('logout')
    .description('forget the token of the server')
    .option('--url <url>', 'the server')
    .action((options: { url?: string }) => logout(io, options));
  apiCommand(program, 'whoami', 'who is signed in, and where').action(withSession(io, whoami));
  apiCommand(program, 'status', 'whether the server is well').action(withSession(io, status));
}

async function login(io: Io, options: { url?: string; token?: string; json?: boolean }): Promise<void> {
  const terminal = new Terminal(io, options.json === true);
  const { url } = chooseContext(io.env, { url: options.url });
  const given = options.token && options.token !== '-' ? options.token : await askToken(io, url, options.token === '-');
  const client = new ApiClient({ url, token: given, userAgent: 'hostplane-cli', retries: 0 });
  const { body } = await client.call('showSession', {});
  const stored = readCredentials(io.env);
  writeCredentials(io.env, { contexts: { ...stored.contexts, [url]: { token: given } }, current: url });
  terminal.fields({ url, ...body }, { 'Signed in to': url, 'As': body.owner, 'May': allowedBy(body) });
}

async function logout(io: Io, options: { url?: string }): Promise<void> {
  const stored = readCredentials(io.env);
  const { url } = chooseContext(io.env, options);
  const { [url]: gone, ...contexts } = stored.contexts;
  const current = stored.current === url ? Object.keys(contexts)[0] : stored.current;
  if (gone) writeCredentials(io.env, { contexts, ...(current ? { current } : {}) });
  io.out.write(gone ? `Signed out of ${url}\n` : `Not signed in to ${url}\n`);
}

async function whoami({ client, terminal }: Session): Promise<void> {
  const { body } = await client.call('showSession', {});
  terminal.fields({ url: client.url, ...body }, { Server: client.url, Owner: body.owner, Token: body.tokenName, May: allowedBy(body), Until: body.expiresAt });
}

async function status({ client, terminal }: Session): Promise<void> {
  const { body } = await client.call('showHealth', {});
  const rows = body.parts.map((part) => [part.name, part.ok ? 'ok' : 'not ok', part.detail]);
  terminal.table({ url: client.url, ...body }, ['PART', 'STATE', 'DETAIL'], rows, `${client.url}: ${body.status}`);
  if (body.status !== 'ok') throw new FailedError(`${client.url} is degraded.`);
}

async function askToken(io: Io, url: string, fromInput: boolean): Promise<string> {
  const token = await readHidden(io, `Token for ${url}`, fromInput);
  if (token) return token;
  throw new UsageError('A token is needed: --token <token>, or on standard input.');
}
