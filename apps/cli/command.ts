import { type Command, InvalidArgumentError } from 'commander';
import { ApiClient } from '#api/client.js';
import type { Operation } from '#api/operation.js';
import { chooseContext } from './credentials.js';
import { FailedError } from './exit-codes.js';
import { Terminal, type Io } from './terminal.js';
import { watchOperation } from './watch.js';

export interface CommonOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
  readonly wait?: boolean;
  readonly timeout?: number;
}

/** What the body of a command works with. */
export interface Session {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  readonly options: CommonOptions;
  /** Waits for an operation unless --no-wait; throws FailedError when it fails. */
  settle(operationId: string): Promise<Operation | undefined>;
}

/** A command that speaks to the API: with --json, --url and --token. */
export function apiCommand(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--json', 'print JSON, and nothing else on standard output')
    .option('--url <url>', 'the server (HOSTPLANE_URL)')
    .option('--token <token>', 'the token (HOSTPLANE_TOKEN)');
}

/** A command that begins an operation: with --no-wait and --timeout too. */
export function operationCommand(parent: Command, usage: string, description: string): Command {
  return apiCommand(parent, usage, description)
    .option('--no-wait', 'do not wait for the operation to end')
    .option('--timeout <seconds>', 'how long to wait', wholeNumber, 300);
}

export function openSession(io: Io, options: CommonOptions): Session {
  const client = new ApiClient({ ...chooseContext(io.env, options), userAgent: 'hostplane-cli' });
  const terminal = new Terminal(io, options.json === true);
  const settle = async (operationId: string) => {
    if (options.wait === false) return undefined;
    return mustSucceed(await watchOperation(client, terminal, operationId, options.timeout ?? 300));
  };
  return { client, terminal, options, settle };
}

/** The action of a command whose last argument is its options: `action(withSession(io, (session, name, options) => …))`. */
export function withSession<A extends unknown[]>(io: Io, work: (session: Session, ...given: A) => Promise<void>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    await work(openSession(io, command.opts<CommonOptions>()), ...(given.slice(0, -1) as A));
  };
}

export function mustSucceed(operation: Operation): Operation {
  if (operation.status === 'succeeded') return operation;
  const { kind, status, failedStep, error = 'no reason is known', undone } = operation;
  const takenBack = undone.length > 0 ? `\nTaken back: ${undone.join(', ')}.` : '';
  throw new FailedError(`${kind} ${status}${failedStep ? ` at ${failedStep}` : ''}: ${error}${takenBack}`);
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('A whole number from 1 is needed.');
  return Number(text);
}

/** A size such as 512M, in bytes. */
export function bytes(text: string): number {
  const found = /^(\d{1,9})([KMG]?)$/i.exec(text);
  if (!found) throw new InvalidArgumentError('A size is a whole number, with K, M or G for powers of 1024, for example 512M.');
  return Number(found[1]) * 1024 ** ' KMG'.indexOf((found[2] || ' ').toUpperCase());
}

/** A number of cores such as 0.5, in thousandths. */
export function millis(text: string): number {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError('A number of cores is like 0.5 or 2.');
  return Math.round(Number(text) * 1000);
}

/** Every page of a list, up to `most` items. */
export async function allPages<T>(most: number, ask: (cursor: string | undefined, limit: number) => Promise<{ items: T[]; nextCursor?: string }>): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | undefined; items.length < most; ) {
    const page = await ask(cursor, Math.min(200, most - items.length));
    items.push(...page.items);
    cursor = page.nextCursor;
    if (!cursor) break;
  }
  return items;
}
