import type { Limits, SiteRequested } from '#contracts/gen/hostplane/v1/site.js';
import { Refusal } from '../refusal.js';
import { checkOwnName } from '../secret/wish.js';

/** Runtimes that can run a kind of site, the default first. */
export const runtimesFor: Readonly<Record<string, readonly string[]>> = {
  static: ['files', 'docker'],
  app: ['docker', 'coolify'],
  wordpress: ['docker', 'coolify'],
};

/** Whether a WordPress there has a database server for itself, which comes and goes with it; else its host has servers. */
export const bringsDatabase = (runtime: string): boolean => runtime === 'coolify';

/** The database server of a site whose owner asked for none. */
export const usualDatabase = (runtime: string): 'shared' | 'own' => (bringsDatabase(runtime) ? 'own' : 'shared');

/** Runtimes whose sites' data can be read and filled by others: Coolify has no way in. */
const openRuntimes: readonly string[] = ['files', 'docker'];

export function mustHoldOpenData({ runtime }: Pick<SiteRequested, 'runtime'>): void {
  if (openRuntimes.includes(runtime)) return;
  throw new Refusal('unsupported', `A site on "${runtime}" cannot be backed up or restored: its data can be read there by nobody else. Keep copies there, or run it on docker.`);
}

/** Where a site runs when nobody says where: what needs a container, on the plane's runtime for containers if that can run its kind. */
export function defaultRuntime(kind: string, forContainers: string): string {
  const [first = '', ...others] = runtimesFor[kind] ?? [];
  return first === 'docker' && others.includes(forContainers) ? forContainers : first;
}

/** Refuses a request whose parts do not fit together, naming the field. */
export function checkRequest(request: SiteRequested): void {
  const runtimes = runtimesFor[request.kind];
  if (!runtimes) throw new Refusal('invalid', `"${request.kind}" is not a kind of site. Choose one of: ${Object.keys(runtimesFor).join(', ')}.`, 'kind');
  if (!runtimes.includes(request.runtime)) {
    throw new Refusal('invalid', `A site of the kind ${request.kind} cannot run on "${request.runtime}". Choose one of: ${runtimes.join(', ')}.`, 'runtime');
  }
  if (request.kind === 'app') checkApp(request);
  else if (request.app) throw new Refusal('invalid', `A site of the kind ${request.kind} takes no image, port or environment.`, 'image');
  if (request.kind === 'wordpress') checkWordPress(request);
  else if (request.wordpress) throw new Refusal('invalid', `A site of the kind ${request.kind} takes no settings of WordPress.`, 'kind');
  if (request.limits) checkLimits(request, request.limits);
}

/** An image reference as the engine's reference grammar has it, kept to what is safe to print and to store. */
const IMAGE = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/;

function checkApp({ app }: SiteRequested): void {
  if (!app) throw new Refusal('invalid', 'An app needs an image.', 'image');
  if (app.image.length > 255 || !IMAGE.test(app.image)) throw new Refusal('invalid', `"${app.image.slice(0, 80)}" is not an image reference such as nginx:1.27 or registry.example.org/team/shop@sha256:….`, 'image');
  if (!Number.isInteger(app.port) || app.port < 1 || app.port > 65_535) throw new Refusal('invalid', `The port ${app.port} is not between 1 and 65535.`, 'port');
  if (!/^\/[\x21-\x7e]{0,1023}$/.test(app.healthPath)) throw new Refusal('invalid', `"${app.healthPath.slice(0, 80)}" is not a path that begins with a slash.`, 'healthPath');
  if (Object.keys(app.env).length > 0) throw new Refusal('invalid', 'The values of the environment must be sealed to the key of the project.', 'env');
  for (const { name, box } of app.sealedEnv) {
    checkVariable(name);
    if (!/^[A-Za-z0-9+/]{100,}={0,2}$/.test(box)) throw new Refusal('invalid', `The value of ${name} is not sealed.`, `env.${name}`);
  }
  for (const { name, secret } of app.secretEnv) {
    checkVariable(name);
    checkOwnName(secret, `env.${name}`);
  }
  const names = [...app.sealedEnv, ...app.secretEnv].map(({ name }) => name);
  if (new Set(names).size < names.length) throw new Refusal('invalid', 'A variable of the environment is there twice.', 'env');
}

function checkVariable(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(name)) throw new Refusal('invalid', `"${name.slice(0, 80)}" is not a name of an environment variable.`, 'env');
}

/** As WordPress itself takes them: https://developer.wordpress.org/reference/functions/sanitize_user/ in its strict form. */
const USER = /^[A-Za-z0-9_.@-](?:[A-Za-z0-9_.@ -]{0,58}[A-Za-z0-9_.@-])?$/;
const EMAIL = /^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$/;

function checkWordPress({ wordpress, runtime }: SiteRequested): void {
  if (!wordpress) throw new Refusal('invalid', 'A WordPress site needs a title and an administrator.', 'title');
  const { phpVersion, title, adminUser, adminEmail, locale, database } = wordpress;
  const refuse = (isRight: boolean, field: string, value: string, what: string): void => {
    if (!isRight) throw new Refusal('invalid', `"${value.slice(0, 80)}" is not ${what}.`, field);
  };
  refuse(phpVersion === '' || /^[0-9]\.[0-9]{1,2}$/.test(phpVersion), 'phpVersion', phpVersion, 'a version of PHP such as 8.3');
  refuse(/^[^\p{C}]{1,200}$/u.test(title) && title.trim() !== '', 'title', title, 'a title of 1 to 200 characters without control characters');
  refuse(USER.test(adminUser), 'adminUser', adminUser, 'a user name of 1 to 60 letters, digits, spaces and the characters . _ @ -');
  refuse(adminEmail === '' || (EMAIL.test(adminEmail) && adminEmail.length <= 100), 'adminEmail', adminEmail, 'an e-mail address of at most 100 characters');
  refuse(locale === '' || /^[a-z]{2,3}(_[A-Z]{2})?(_[a-z0-9]{1,10})?$/.test(locale), 'locale', locale, 'a locale such as de_DE');
  refuse(['shared', 'own'].includes(database), 'database', database, 'one of shared, own');
  refuse(!bringsDatabase(runtime) || database === 'own', 'database', database, `what a WordPress on "${runtime}" can have: each has a database server of its own there`);
}

const MIB = 1024 ** 2;

/** What a container cannot start with, and what no machine has. */
function checkLimits({ kind, runtime }: SiteRequested, { memoryBytes, cpuMillis, pids }: Limits): void {
  if (memoryBytes + cpuMillis + pids === 0) return;
  if (runtime === 'files') throw new Refusal('invalid', `A site of the kind ${kind} on "files" is served by the edge itself: limits are for containers.`, 'limits');
  const within = (field: string, value: number, least: number, most: number): void => {
    if (value === 0 || (Number.isInteger(value) && value >= least && value <= most)) return;
    throw new Refusal('invalid', `The limit ${value} is not between ${least} and ${most}.`, `limits.${field}`);
  };
  within('memoryBytes', memoryBytes, kind === 'wordpress' ? 128 * MIB : 16 * MIB, 1024 ** 4);
  within('cpuMillis', cpuMillis, 10, 1_000_000);
  within('pids', pids, 8, 100_000);
}
