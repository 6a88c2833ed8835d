import type { Command } from 'commander';
import type { ApiClient } from '#api/client.js';
import type { Project, ProjectSwitched } from '#api/project.js';
import { listProjectVolumes } from './backups.js';
import { allPages, apiCommand, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { FailedError } from './exit-codes.js';
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
  for (const [verb, what] of Object.entries({ start: 'start its stopped sites', stop: 'stop its sites', restart: 'restart its running sites', repair: 'make anew what is missing of its sites' })) {
    operationCommand(project, `${verb} <project>`, what).action(withSession(io, (session, id: string) => eachSite(session, (client) => client.call(`${verb}Project` as Switch, { params: { id } }))));
  }
  operationCommand(project, 'backup <project>', 'back its sites up, each by itself').action(withSession(io, (session, id: string) => eachSite(session, (client) => client.call('backUpProject', { params: { id } }))));
  operationCommand(project, 'restore <project>', 'bring its sites back to their newest backups')
    .option('--until <time>', 'only to such as were begun by then, for example 2026-11-20T12:00:00Z')
    .action(withSession(io, (session, id: string, { until }: { until?: string }) => eachSite(session, (client) => client.call('restoreProject', { params: { id }, body: { until } }))));
  operationCommand(project, 'delete <project>', 'delete a project that has no sites').action(withSession(io, remove));
  apiCommand(project, 'volumes <project>', 'its volumes and databases, those of destroyed sites too, and what is in them').action(withSession(io, listProjectVolumes));
  addMemberCommands(project, io);
  addQuotaCommand(project, io);
}

type Switch = 'startProject' | 'stopProject' | 'restartProject' | 'repairProject';

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

/** Waits for one operation after the other, as a screen has room for one; also when one before it failed, for each goes on by itself. */
async function eachSite(session: Session, ask: (client: ApiClient) => Promise<{ readonly body: ProjectSwitched }>): Promise<void> {
  const { body } = await ask(session.client);
  const ends: PromiseSettledResult<unknown>[] = [];
  for (const { operationId } of [body, ...body.sites]) ends.push(...(await Promise.allSettled(operationId ? [session.settle(operationId)] : [Promise.resolve()])));
  const failures = ends.map((end) => (end.status === 'rejected' ? String((end.reason as Error).message) : ''));
  const rows = body.sites.map(({ name, status, reason }, n) => [name, failures[n + 1] ? 'failed' : status, reason ?? failures[n + 1] ?? '']);
  session.terminal.table(body, ['SITE', 'OUTCOME', 'WHY'], rows, 'The project has no sites.');
  const failed = failures.filter((failure) => failure !== '').length + body.sites.filter(({ status }) => status === 'refused').length;
  if (failed > 0) throw new FailedError(`${failed} of ${body.sites.length} sites of ${body.name}: ${body.action} did not succeed.${failures[0] ? ` ${failures[0]}` : ''}`);
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
