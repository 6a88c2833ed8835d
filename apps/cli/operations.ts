import type { Command } from 'commander';
import type { Operation } from '#api/operation.js';
import { allPages, apiCommand, mustSucceed, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { renderOperation } from './progress.js';
import { renderTime } from './table.js';
import type { Io, Terminal } from './terminal.js';
import { watchOperation } from './watch.js';

export function addOperationCommands(program: Command, io: Io): void {
  const operation = program.command('operation').description('what is being done, step by step');
  apiCommand(operation, 'list', 'list operations')
    .option('--site <site>', 'only those of this site')
    .option('--status <status>', 'only those in this state, for example running')
    .option('--limit <n>', 'how many at most', wholeNumber, 50)
    .action(withSession(io, list));
  apiCommand(operation, 'show <operation>', 'show an operation').action(withSession(io, show));
  operationCommand(operation, 'watch <operation>', 'watch an operation until it ends').action(withSession(io, watch));
  operationCommand(operation, 'cancel <operation>', 'give an operation up and take back what it did')
    .option('--reason <text>', 'why')
    .action(withSession(io, cancel));
}

async function list({ client, terminal }: Session, options: { site?: string; status?: Operation['status']; limit: number }): Promise<void> {
  const query = { siteId: options.site, status: options.status };
  const items = await allPages(options.limit, async (cursor, limit) => (await client.call('listOperations', { query: { ...query, cursor, limit } })).body);
  const rows = items.map((one) => [one.kind, one.status, one.siteId ?? one.projectId ?? '', renderTime(one.createdAt), one.id]);
  terminal.table({ items }, ['KIND', 'STATUS', 'OF', 'STARTED (UTC)', 'ID'], rows, 'No operations yet.');
}

async function show({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('showOperation', { params: { id } });
  print(terminal, body);
}

async function watch({ client, terminal, options }: Session, id: string): Promise<void> {
  const operation = await watchOperation(client, terminal, id, options.timeout ?? 300);
  if (terminal.isJson) terminal.json(operation);
  mustSucceed(operation);
}

async function cancel(session: Session, id: string, { reason }: { reason?: string }): Promise<void> {
  const { client, terminal, options } = session;
  const { body } = await client.call('cancelOperation', { params: { id }, body: { reason } });
  // That it ends as failed is what was asked for.
  print(terminal, options.wait === false ? body : await watchOperation(client, terminal, body.id, options.timeout ?? 300));
}

function print(terminal: Terminal, operation: Operation): void {
  if (terminal.isJson) terminal.json(operation);
  else terminal.line(renderOperation(operation, Date.now(), 0).join('\n'));
}
