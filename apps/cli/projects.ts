import type { Command } from 'commander';
import type { Project } from '#api/project.js';
import { allPages, apiCommand, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { addMemberCommands } from './members.js';
import { addQuotaCommand } from './quota.js';
import { renderTime } from './table.js';
import type { Io } from './terminal.js';

export function addProjectCommands(program: Command, io: Io): void {
  const project = program.command('project').description('rooms of your own: a network and a subnet for their sites');
  operationCommand(project, 'create <name>', 'make a project').action(withSession(io, create));
  apiCommand(project, 'list', 'list projects').option('--limit <n>', 'how many at most', wholeNumber, 200).action(withSession(io, list));
  apiCommand(project, 'show <project>', 'show a project').action(withSession(io, show));
  operationCommand(project, 'retry <project>', 'provision a failed project again').action(withSession(io, retry));
  operationCommand(project, 'delete <project>', 'delete a project that has no sites').action(withSession(io, remove));
  addMemberCommands(project, io);
  addQuotaCommand(project, io);
}

async function create(session: Session, name: string): Promise<void> {
  const { body } = await session.client.call('createProject', { body: { name } });
  await session.settle(body.operationId);
  await show(session, body.id);
}

async function list({ client, terminal }: Session, options: { limit: number }): Promise<void> {
  const items = await allPages(options.limit, async (cursor, limit) => (await client.call('listProjects', { query: { cursor, limit } })).body);
  const rows = items.map((one) => [one.name, one.status, String(one.siteCount), renderTime(one.createdAt), one.id]);
  terminal.table({ items }, ['NAME', 'STATUS', 'SITES', 'CREATED (UTC)', 'ID'], rows, 'No projects yet. Make one: hostplane project create my-project');
}

async function show({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('showProject', { params: { id } });
  terminal.fields(body, fieldsOf(body));
}

async function retry(session: Session, id: string): Promise<void> {
  const { body } = await session.client.call('retryProject', { params: { id } });
  await session.settle(body.operationId);
  await show(session, body.id);
}

async function remove(session: Session, id: string): Promise<void> {
  const { body } = await session.client.call('deleteProject', { params: { id } });
  const operation = await session.settle(body.operationId);
  session.terminal.fields(operation ?? body, { [operation ? 'Deleted' : 'Deleting']: body.name });
}

function fieldsOf(project: Project): Record<string, string | number | undefined> {
  return {
    Name: project.name, Status: project.status, Owner: project.owner, Role: project.role, Sites: project.siteCount, Host: project.hostId, Error: project.lastError,
    Created: renderTime(project.createdAt), Id: project.id,
  };
}
