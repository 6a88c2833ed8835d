import type { Command } from 'commander';
import type { Backup, Volume } from '#api/backup.js';
import type { ApiClient } from '#api/client.js';
import { allPages, apiCommand, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { UsageError } from './exit-codes.js';
import { renderBytes, renderTime } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane backup create shop                  files and data of one moment
  hostplane backup list --site shop
  hostplane backup restore <backup>             the site goes back to it
  hostplane backup restore <backup> --as shop2  a new site begins with it`;

export function addBackupCommands(program: Command, io: Io): void {
  const backup = program.command('backup').description('keep what sites hold, and bring it back').addHelpText('after', examples);
  operationCommand(backup, 'create <site>', 'back a site up').action(withSession(io, create));
  apiCommand(backup, 'list', 'list backups')
    .option('--site <site>', 'only those of this site')
    .option('--project <project>', 'only those of this project')
    .option('--limit <n>', 'how many at most', wholeNumber, 1000)
    .action(withSession(io, list));
  apiCommand(backup, 'show <backup>', 'show a backup').action(withSession(io, show));
  operationCommand(backup, 'restore <backup>', 'bring a backup back, to its site or as a new one')
    .option('--as <name>', 'make a new site of this name of it')
    .option('--project <project>', 'with --as: in this project, and not where it was taken')
    .action(withSession(io, restore));
  operationCommand(backup, 'delete <backup>', 'delete a backup').action(withSession(io, remove));
}

/** The volumes of a site, and what is in them. */
export async function listVolumes({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('listSiteVolumes', { params: { id } });
  const rows = body.items.map((one: Volume) => [one.role, one.path, renderBytes(one.bytes), one.name]);
  terminal.table(body, ['HOLDS', 'AT', 'SIZE', 'NAME'], rows, 'The site has no volumes.');
}

/** The same of a project: those of destroyed sites too. */
export async function listProjectVolumes({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('listProjectVolumes', { params: { id } });
  const rows = body.items.map((one: Volume) => [one.role, one.path, renderBytes(one.bytes), one.siteId ?? (one.leftBy ? `left by ${one.leftBy}` : 'no site'), one.name]);
  terminal.table(body, ['HOLDS', 'AT', 'SIZE', 'OF', 'NAME'], rows, 'The project has no volumes.');
}

/** Takes a site away once a backup of it is there. */
export async function removeWithBackup(session: Session, id: string): Promise<void> {
  const { client, terminal } = session;
  const { body } = await client.call('deleteSite', { params: { id }, query: { backup: 'true' } });
  if (!(await session.settle(body.operationId))) return terminal.fields(body, { 'Backing up, then destroying': body.name });
  const { body: site } = await client.call('showSite', { params: { id: body.id } });
  const operation = site.operation && (await session.settle(site.operation.id));
  terminal.fields(operation ?? site, { Destroyed: body.name });
}

async function create(session: Session, id: string): Promise<void> {
  const { body } = await session.client.call('createBackup', { params: { id } });
  await session.settle(body.operationId);
  await show(session, body.id);
}

async function list({ client, terminal }: Session, options: { site?: string; project?: string; limit: number }): Promise<void> {
  const items = await allPages(options.limit, (cursor, limit) => page(client, options, { cursor, limit }));
  const rows = items.map((one) => [one.siteName, one.status, one.sizeBytes === undefined ? '' : renderBytes(one.sizeBytes), one.target ?? '', renderTime(one.createdAt), one.id]);
  terminal.table({ items }, ['SITE', 'STATUS', 'SIZE', 'ON', 'TAKEN (UTC)', 'ID'], rows, 'No backups yet. Take one: hostplane backup create <site>');
}

async function page(client: ApiClient, { site, project }: { site?: string; project?: string }, query: { cursor: string | undefined; limit: number }) {
  if (site === undefined) return (await client.call('listBackups', { query: { ...query, projectId: project } })).body;
  return (await client.call('listSiteBackups', { params: { id: site }, query })).body;
}

async function show({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('showBackup', { params: { id } });
  terminal.fields(body, fieldsOf(body));
}

async function restore(session: Session, id: string, { as: name, project: projectId }: { as?: string; project?: string }): Promise<void> {
  if (projectId !== undefined && name === undefined) throw new UsageError('In another project it becomes a new site: say how that is called, with --as <name>.');
  const { body } = await session.client.call('restoreBackup', { params: { id }, body: { name, projectId } });
  const operation = await session.settle(body.operationId);
  session.terminal.fields(operation ?? body, { [operation ? 'Restored' : 'Restoring']: body.name, URL: body.url });
}

async function remove(session: Session, id: string): Promise<void> {
  const { body } = await session.client.call('deleteBackup', { params: { id } });
  const operation = await session.settle(body.operationId);
  session.terminal.fields(operation ?? body, { [operation ? 'Deleted' : 'Deleting']: body.id });
}

function fieldsOf(backup: Backup): Record<string, string | number | undefined> {
  return {
    Site: backup.siteName,
    Status: backup.status,
    Size: backup.sizeBytes === undefined ? undefined : renderBytes(backup.sizeBytes),
    On: backup.target,
    Took: backup.durationMs === undefined ? undefined : `${backup.durationMs} ms, of which the site stood still for ${backup.frozenMs} ms`,
    'SHA-256': backup.sha256,
    Error: backup.error,
    Taken: renderTime(backup.createdAt),
    Id: backup.id,
  };
}
