import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Somebody else to be, for a program that refuses to run as root. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Where things go that such a program could not reach under the project's folder. */
export const REACHABLE_FOLDER = '/var/lib/hostplane';

/** The account for programs that refuse root: undefined when this process is not root, else `postgres`, else `nobody`. */
export function accountInsteadOfRoot(passwd = readFileSync('/etc/passwd', 'utf8'), uid = process.getuid?.()): Account | undefined {
  if (uid !== 0) return undefined;
  const accounts = passwd.split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const found = accounts.find((fields) => fields[0] === name);
    if (found) return { name, uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new Error('PostgreSQL refuses to run as root, and this machine has neither a user "postgres" nor "nobody". Make one, or run this as an ordinary user, or set DATABASE_URL.');
}

/** Whether an account can walk to a folder and read it: asked of the system, which knows every rule that counts. */
export function canReach(account: Account | undefined, folder: string): boolean {
  if (!account) return true;
  const { uid, gid } = account;
  return spawnSync('/bin/sh', ['-c', 'cd "$0" && ls . >/dev/null', folder], { uid, gid, cwd: '/', stdio: 'ignore' }).status === 0;
}

/** A copy of a read-only folder at a place that everybody can reach, made once for each label. */
export function reachableCopy(folder: string, label: string): string {
  const copy = join(REACHABLE_FOLDER, label);
  if (existsSync(copy)) return copy;
  const staged = `${copy}.${process.pid}`;
  makeReachable(dirname(copy));
  rmSync(staged, { recursive: true, force: true });
  cpSync(folder, staged, { recursive: true, verbatimSymlinks: true });
  chmodSync(staged, 0o755);
  renameSync(staged, copy);
  return copy;
}

/** Makes a folder below REACHABLE_FOLDER that others may pass through but not list. */
export function makeReachable(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (let path = folder; path.startsWith(REACHABLE_FOLDER); path = dirname(path)) chmodSync(path, 0o711);
}
