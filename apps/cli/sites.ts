import { Option, type Command } from 'commander';
import { listVolumes, removeWithBackup } from './backups.js';
import { allPages, apiCommand, bytes, millis, operationCommand, wholeNumber, withSession, type Session } from './command.js';
import { listEvents } from './events.js';
import { discardData, discardOf, listKeptData, waysWithData } from './kept-data.js';
import { createSite, publishSite, restoreSite, type CreateOptions } from './publish.js';
import { renderTime } from './table.js';
import type { Io } from './terminal.js';
import type { Site } from '#api/site.js';
import { openInBrowser } from './browser.js';

const examples = `
Examples:
  hostplane site create hello --dir ./public
  hostplane site create shop --kind app --image registry.example/shop:2 --port 3000 --env MODE=live --health-path /healthz
  hostplane site create blog --kind wordpress --title 'My blog' --admin-email me@example.com
  hostplane site publish hello ./public
  hostplane site list --json`;

export function addSiteCommands(program: Command, io: Io): void {
  const site = program.command('site').description('put sites live and keep them live').addHelpText('after', examples);
  addCreate(site, io);
  apiCommand(site, 'list', 'list sites')
    .option('--status <status>', 'only those in this state, for example ACTIVE')
    .option('--project <project>', 'only those of this project')
    .addOption(new Option('--kind <kind>', 'only those of this kind').choices(['static', 'app', 'wordpress']))
    .addOption(new Option('--kept-data', 'destroyed ones whose data is kept, how much it is, and their ids').conflicts('status'))
    .option('--limit <n>', 'how many at most', wholeNumber, 1000)
    .action(withSession(io, list));
  apiCommand(site, 'show <site>', 'show a site, by name or id').action(withSession(io, show));
  operationCommand(site, 'publish <site> <path>', 'put a folder or an archive (zip, tar.gz) live').action(withSession(io, publishSite));
  operationCommand(site, 'update <site>', 'change how a site runs; its data stays')
    .option('--php <version>', 'wordpress: version of PHP (default: the same one, from the image that the host has now)')
    .action(withSession(io, update));
  operationCommand(site, 'delete <site>', 'destroy a site and its data; its backups stay')
    .alias('destroy')
    .addOption(new Option('--backup', 'take a backup first, and destroy only when it is there').conflicts('keepData'))
    .option('--keep-data', 'leave volumes and database, for `site restore`')
    .action(withSession(io, remove));
  apiCommand(site, 'volumes <site>', 'the volumes of a site, and what is in them').action(withSession(io, listVolumes));
  operationCommand(site, 'restore <site> [name]', 'make a new site on the data that a destroyed one left behind; by its id (site list --kept-data), or by a name that only one of them had')
    .option('--php <version>', "wordpress: version of PHP (default: as it was)")
    .action(withSession(io, restoreSite));
  operationCommand(site, 'discard-data <site>', 'destroy for good the data that a destroyed site left behind; by its id, or by a name that only one of them had')
    .option('--confirm <name>', 'what the site was called; needed with an id')
    .action(withSession(io, discardData));
  for (const [verb, what] of Object.entries({ start: 'start a stopped site', stop: 'stop a site', restart: 'restart a site', retry: 'provision a failed site again', repair: 'make anew what is missing of a site; what is right stays as it is' })) {
    operationCommand(site, `${verb} <site>`, what).action(withSession(io, (session, id: string) => turn(session, `${verb}Site` as Turn, id)));
  }
  apiCommand(site, 'password <site>', "be told the password of a site's first administrator; recorded").action(withSession(io, password));
  apiCommand(site, 'events <site>', 'what happened to a site')
    .option('--limit <n>', 'how many at most', wholeNumber, 200)
    .action(withSession(io, (session, id: string, options: { limit: number }) => listEvents(session, { site: id, limit: options.limit })));
  apiCommand(site, 'open <site>', 'open a site in the browser').action(withSession(io, open));
}

type Turn = 'startSite' | 'stopSite' | 'restartSite' | 'retrySite' | 'repairSite';

function addCreate(site: Command, io: Io): void {
  operationCommand(site, 'create <name>', 'put a site live')
    .addOption(new Option('--kind <kind>', 'static: files; app: an image; wordpress (default: app with --image, else static)').choices(['static', 'app', 'wordpress']))
    .addOption(new Option('--dir <folder>', 'static: publish this folder').conflicts('archive'))
    .option('--archive <file>', 'static: publish this archive (zip, tar.gz)')
    .option('--image <image>', 'app: the image to run')
    .option('--port <port>', 'app: the port that it listens on', wholeNumber)
    .option('--env <name=value>', 'app: a variable of its environment; may be said again', (said: string, all: string[]) => [...all, said], [])
    .option('--env-secret <name=secret>', 'app: a variable whose value is a secret of the project; may be said again', (said: string, all: string[]) => [...all, said], [])
    .option('--health-path <path>', 'app: a path that answers 2xx or 3xx once it is healthy')
    .option('--php <version>', "wordpress: version of PHP, for example 8.3 (default: the host's)")
    .option('--title <title>', 'wordpress: its title (default: its name)')
    .option('--admin-user <name>', 'wordpress: its first administrator (default: admin)')
    .option('--admin-email <address>', 'wordpress: where it writes to')
    .option('--locale <locale>', 'wordpress: its language, for example de_DE (default: English)')
    .addOption(new Option('--database <server>', "wordpress: shared: on the host's database server; own: on one of the project's own; at Coolify always the site's own").choices(['shared', 'own']))
    .option('--memory <size>', 'most memory of its container, for example 512M', bytes)
    .option('--cpus <cores>', 'most of the processor, for example 0.5', millis)
    .addOption(new Option('--runtime <runtime>', 'files: served by the edge; docker: a container; coolify: an application or a service there').choices(['files', 'docker', 'coolify']))
    .option('--project <project>', 'name or id of the project (default: your project "default")')
    .action(withSession(io, (session, name: string, options: CreateOptions) => createSite(session, name, options)));
}

async function list(session: Session, options: { status?: Site['status']; project?: string; kind?: Site['kind']; keptData?: boolean; limit: number }): Promise<void> {
  const { client, terminal } = session;
  if (options.keptData) return listKeptData(session, { projectId: options.project, kind: options.kind }, options.limit);
  const query = { status: options.status, projectId: options.project, kind: options.kind };
  const items = await allPages(options.limit, async (cursor, limit) => (await client.call('listSites', { query: { ...query, cursor, limit } })).body);
  const rows = items.map((one) => [one.name, one.kind, one.status + (one.power === 'stopped' ? ' (stopped)' : ''), one.url, renderTime(one.createdAt)]);
  terminal.table({ items }, ['NAME', 'KIND', 'STATUS', 'URL', 'CREATED (UTC)'], rows, 'No sites yet. Put one live: hostplane site create hello --dir ./public');
}

async function show({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('showSite', { params: { id } });
  terminal.fields(body, fieldsOf(body));
}

async function remove(session: Session, id: string, options: { backup?: boolean; keepData?: boolean }): Promise<void> {
  if (options.backup) return removeWithBackup(session, id);
  const { body } = await session.client.call('deleteSite', { params: { id }, query: options.keepData ? { keepData: 'true' } : {} });
  const operation = await session.settle(body.operationId);
  const kept = options.keepData ? waysWithData(body) : undefined;
  session.terminal.fields(operation ?? body, { [operation ? 'Destroyed' : 'Destroying']: body.name, 'Its data stays': kept });
}

async function update(session: Session, id: string, options: { php?: string }): Promise<void> {
  const { body } = await session.client.call('updateSite', { params: { id }, body: { phpVersion: options.php } });
  await session.settle(body.operationId);
  await show(session, body.id);
}

async function turn(session: Session, route: Turn, id: string): Promise<void> {
  const { body } = await session.client.call(route, { params: { id } });
  await session.settle(body.operationId);
  await show(session, body.id);
}

async function password({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('revealSitePassword', { params: { id } });
  terminal.fields(body, { 'Sign in at': body.url, 'As': body.user, 'Password': body.password });
}

async function open({ client, terminal }: Session, id: string): Promise<void> {
  const { body } = await client.call('showSite', { params: { id } });
  if (terminal.isJson) terminal.json({ url: body.url });
  else terminal.line(body.url);
  if (terminal.io.err.isTTY) openInBrowser(body.url);
}

function dataOf(site: Site): string | undefined {
  if (site.leftData === 'kept') return `kept: ${waysWithData(site)}`;
  return site.leftData === 'discarding' ? `partly discarded: ${discardOf(site)}` : site.leftData;
}

function fieldsOf(site: Site): Record<string, string | number | undefined> {
  return {
    Name: site.name,
    Status: site.status + (site.power === 'stopped' ? ' (stopped)' : ''),
    Health: site.health && [site.health.state, `since ${renderTime(site.health.since)}`, site.health.detail].filter(Boolean).join(', '),
    URL: site.url,
    Domains: site.domains.map(({ name, status, primary }) => `${name} (${status}${primary ? ', primary' : ''})`).join(', '),
    Kind: `${site.kind}, ${site.runtime}`,
    Image: site.app?.image,
    Port: site.app?.port,
    Admin: site.wordpress && `${site.wordpress.adminUser} at ${site.wordpress.adminUrl}`,
    PHP: site.wordpress?.phpVersion,
    Environment: site.app?.envNames.map((name) => (site.app?.envSecrets?.[name] ? `${name} (secret ${site.app.envSecrets[name]})` : name)).join(', '),
    Release: site.release && `${site.release.id} (${site.release.status}, ${site.release.fileCount} files)`,
    Operation: site.operation && [`${site.operation.kind} (${site.operation.status})`, site.operation.delay && `tried again: ${site.operation.delay}`].filter(Boolean).join(', '),
    Data: dataOf(site),
    Error: site.lastError,
    Project: site.projectId,
    Created: renderTime(site.createdAt),
    Id: site.id,
  };
}

