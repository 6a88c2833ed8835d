import { APPS, roleOf, type App } from '#eventstore/apps.js';
import type { BusUser } from '#messaging/subjects.js';
import type { Credentials } from './credentials.js';

export type Secrets = Credentials<App | 'admin', BusUser>;

/** Where each app finds the database, as its own role. */
export function databaseUrls(adminUrl: string, secrets: Secrets): Record<string, string> {
  return Object.fromEntries(APPS.map((app) => [variable(app, 'DATABASE'), asUser(adminUrl, roleOf(app), secrets.postgres[app])]));
}

/**
 * Where each app finds the bus, as its own user. Somebody else's bus (`outside`: the environment) has users of its own: whoever runs it
 * hands them out with HOSTPLANE_<APP>_NATS_URL, and an app without one uses NATS_URL.
 */
export function busUrls(adminUrl: string, secrets: Secrets, outside: NodeJS.ProcessEnv | undefined): Record<string, string> {
  return Object.fromEntries(APPS.map((app) => {
    const name = variable(app, 'NATS');
    return [name, outside ? (outside[name] ?? adminUrl) : asUser(adminUrl, app, secrets.nats[app])];
  }));
}

/** Whose a variable is that says a secret: nobody else gets it. */
const HOLDERS: readonly (readonly [RegExp, App])[] = [[/^(HOSTPLANE_MASTER_KEY|VAULT_TOKEN)$/, 'secrets'], [/^(COOLIFY|HOSTPLANE_BACKUP_S3)_|^HOSTPLANE_TUNNEL_API_TOKEN$/, 'provisioner'], [/^HOSTPLANE_(ACME_EAB_|CLOUDFLARE_API_TOKEN$)/, 'domains']];
const NOBODYS = /^(DATABASE_URL|NATS_URL|DOCKER_.*|HOSTPLANE_ADMIN_TOKEN|HOSTPLANE_.*_(DATABASE|NATS)_URL)$/;

/** The environment of a process: a person's settings, and of the addresses and secrets only those of its own apps. Neither an administrator's address nor an engine's. */
export function environmentOf(env: NodeJS.ProcessEnv, urls: Readonly<Record<string, string>>, apps: readonly App[]): NodeJS.ProcessEnv {
  const own = new Set(apps.flatMap((app) => [variable(app, 'DATABASE'), variable(app, 'NATS')]));
  const mine = (name: string) => !NOBODYS.test(name) && HOLDERS.every(([names, app]) => !names.test(name) || apps.includes(app));
  return Object.fromEntries([...Object.entries(env).filter(([name]) => mine(name)), ...Object.entries(urls).filter(([name]) => own.has(name))]);
}

/** The environment of a server that is nobody's app: a person's settings without any secret. */
export const withoutSecrets = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => environmentOf(env, {}, []);

function variable(app: App, server: 'DATABASE' | 'NATS'): string {
  return `HOSTPLANE_${app.replaceAll('-', '_').toUpperCase()}_${server}_URL`;
}

function asUser(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = encodeURIComponent(password);
  return changed.href;
}
