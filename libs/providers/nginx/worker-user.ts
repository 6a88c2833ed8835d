import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const CANDIDATES = ['www-data', 'nginx', 'http', 'nobody'];
const OTHERS_MAY_ENTER = 0o001;

/** Who workers run as where nobody else can read the sites. */
export const ROOT = { name: 'root', group: 'root' };

/** Why that is so, and what to do about it. */
export const closedTo = (folder: string): string => `another user may not enter ${folder}. Open it (chmod o+x) and start again to serve without rights.`;

/** The first folder of a path that only its owner or group may enter; `isMounted` looks at its last folder alone. */
export async function closedFolderOf(path: string, isMounted = false): Promise<string | undefined> {
  const folders = [path];
  for (let folder = path; !isMounted && folder !== dirname(folder); ) folders.unshift((folder = dirname(folder)));
  for (const folder of folders) {
    if (((await stat(folder)).mode & OTHERS_MAY_ENTER) === 0) return folder;
  }
  return undefined;
}

/** The numbers of a user of this machine. */
export async function idsOf(name: string): Promise<{ uid: number; gid: number } | undefined> {
  const [, , uid, gid] = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':')).find((user) => user[0] === name) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** A user of this machine that is made for serving, with its group. */
export async function servingUser(): Promise<{ name: string; group: string } | undefined> {
  const users = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  const groups = (await readFile('/etc/group', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  for (const name of CANDIDATES) {
    const gid = users.find((user) => user[0] === name)?.[3];
    const group = groups.find((entry) => gid !== undefined && entry[2] === gid)?.[0];
    if (group !== undefined) return { name, group };
  }
  return undefined;
}
