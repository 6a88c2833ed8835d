import { randomUUID } from 'node:crypto';
import type { ApiClient } from '#api/client.js';
import type { NewSite } from '#api/site.js';
import type { Session } from './command.js';
import { UsageError } from './exit-codes.js';
import { leftUnder } from './kept-data.js';
import { archiveOf, type Archive } from './pack-folder.js';

export interface CreateOptions {
  readonly kind?: 'static' | 'app' | 'wordpress';
  readonly dir?: string;
  readonly archive?: string;
  readonly image?: string;
  readonly port?: number;
  readonly env: readonly string[];
  readonly envSecret: readonly string[];
  readonly healthPath?: string;
  readonly php?: string;
  readonly title?: string;
  readonly adminUser?: string;
  readonly adminEmail?: string;
  readonly locale?: string;
  readonly database?: 'shared' | 'own';
  readonly memory?: number;
  readonly cpus?: number;
  readonly runtime?: 'files' | 'docker' | 'coolify';
  readonly project?: string;
}

/** Makes a site; with a folder or an archive, its content goes live with it. */
export async function createSite(session: Session, name: string, options: CreateOptions): Promise<void> {
  const path = options.dir ?? options.archive;
  const input = siteOf(name, options);
  const archive = path === undefined ? undefined : await archiveOf(path, (line) => session.terminal.note(line));
  const { body: site } = await session.client.call('createSite', { body: input });
  const release = archive && (await upload(session.client, site.id, archive));
  await session.settle(site.operationId);
  if (release) await session.settle(release);
  await showOutcome(session, site.id, release ?? site.operationId);
}

export async function publishSite(session: Session, siteId: string, path: string): Promise<void> {
  const archive = await archiveOf(path, (line) => session.terminal.note(line));
  const operationId = await upload(session.client, siteId, archive);
  if (operationId) await session.settle(operationId);
  await showOutcome(session, siteId, operationId);
}

/** Makes a new site on the data of a destroyed one, under its old name unless another is given. */
export async function restoreSite(session: Session, named: string, name: string | undefined, { php }: { php?: string }): Promise<void> {
  const id = await leftUnder(session.client, named);
  const { body: old } = await session.client.call('showSite', { params: { id } });
  const app = old.app && { image: old.app.image, port: old.app.port, healthPath: old.app.healthPath };
  const { body: site } = await session.client.call('createSite', { body: { name: name ?? old.name, kind: old.kind, projectId: old.projectId, restoreFrom: old.id, phpVersion: php, limits: old.limits, ...app } });
  await session.settle(site.operationId);
  await showOutcome(session, site.id, site.operationId);
}

/** The id of the operation that puts the upload live. */
async function upload(client: ApiClient, siteId: string, archive: Archive): Promise<string | undefined> {
  const { status, body } = await client.publish(siteId, archive.open, { key: randomUUID(), contentType: archive.contentType });
  return status === 202 ? body.id : undefined;
}

async function showOutcome({ client, terminal, options }: Session, siteId: string, operationId: string | undefined): Promise<void> {
  const { body } = await client.call('showSite', { params: { id: siteId } });
  if (terminal.isJson) terminal.json(options.wait === false ? { ...body, operationId } : body);
  else if (options.wait === false) terminal.line(`${body.name} is ${body.status}.${operationId ? ` Follow it with: hostplane operation watch ${operationId}` : ''}`);
  else {
    terminal.line(`${body.name} is live at ${body.url}`);
    if (body.wordpress) terminal.line(`Sign in as ${body.wordpress.adminUser} at ${body.wordpress.adminUrl}, with what this tells: hostplane site password ${body.name}`);
  }
}

function siteOf(name: string, options: CreateOptions): NewSite {
  const kind = options.kind ?? (options.image ? 'app' : 'static');
  if (kind !== 'static' && (options.dir ?? options.archive)) throw new UsageError(`A site of the kind ${kind} takes no content: --dir and --archive are for static sites.`);
  const env = { ...pairsOf('--env', options.env), ...Object.fromEntries(Object.entries(pairsOf('--env-secret', options.envSecret)).map(([variable, secret]) => [variable, { secret }])) };
  return {
    name, kind, projectId: options.project, runtime: options.runtime, image: options.image, port: options.port, healthPath: options.healthPath,
    phpVersion: options.php, title: options.title, adminUser: options.adminUser, adminEmail: options.adminEmail, locale: options.locale, database: options.database,
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(options.memory !== undefined || options.cpus !== undefined ? { limits: { memoryBytes: options.memory, cpuMillis: options.cpus } } : {}),
  };
}

/** NAME=value pairs, the value as it stands after the first equals sign. */
export function pairsOf(option: string, pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`${option} ${pair.split('=')[0] || '""'}: write it as NAME=${option === '--env' ? 'value' : 'secret'}.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
