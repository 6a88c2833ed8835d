import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';

/** What an isolated process sees of the machine: everything, read-only, but for these. */
export interface View {
  /** Folders in whose place it sees an empty one; that of the stage comes last. */
  readonly hidden: readonly string[];
  /** What it sees although it lies in a hidden folder. */
  readonly shown: readonly string[];
  /** Folders that it may write to; shown as well. */
  readonly writable: readonly string[];
  /** An empty folder for the time of the making. */
  readonly stage: string;
}

/** How a process is started out of an engine's reach, or the reason why that cannot be done here. */
export type Isolation = { readonly words: readonly string[] } | { readonly reason: string };

/** What remains of root: to listen on low ports, and to pass through folders of the user who called sudo. None of both changes a mount. */
const RIGHTS = 'net_bind_service,dac_override';

/**
 * The words in front of a command that start it in a mount namespace of its own, with this view of the machine and without the rights to change it.
 * The process keeps its number, its channel and its signals. They are tried out first; where the kernel or the machine refuses, the reason comes back.
 */
export async function isolate(view: View): Promise<Isolation> {
  if (process.platform !== 'linux') return { reason: 'only Linux has mount namespaces.' };
  if (view.hidden.includes('/')) return { reason: 'the engine\'s socket lies in the root folder.' };
  const isRoot = process.getuid?.() === 0;
  mkdirSync(view.stage, { recursive: true, mode: 0o700 });
  const script = isolationScript(view, parseMounts(readFileSync('/proc/self/mountinfo', 'utf8')));
  const words = ['unshare', ...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', '--', 'sh', '-ec', script, 'sh'];
  const [program, ...rest] = [...words, process.execPath, '--version'];
  const trial = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 5_000 });
  const [complaint, code] = await Promise.all([text(trial.stderr), once(trial, 'close').then(([status]) => Number(status ?? 1))]).catch((error: Error) => [error.message, 1] as const);
  return code === 0 ? { words } : { reason: complaint.trim().split('\n')[0] || `a trial ended with ${code}.` };
}

/** What hides the engine from a process that needs only `needs` of the data folder: sockets and the doors to other processes of this user, keys, devices, the plane's own passwords. */
export function viewFor(data: string, env: NodeJS.ProcessEnv, needs: { shown: readonly string[]; writable: readonly string[] }): View {
  const socket = /^unix:\/\/(\/.+)$/.exec(env['DOCKER_HOST'] ?? '')?.[1];
  const hidden = ['/run', '/var/run', '/tmp', '/dev', join(homedir(), '.docker'), ...(env['DOCKER_CERT_PATH'] ? [env['DOCKER_CERT_PATH']] : []), ...(socket ? [dirname(socket)] : []), data];
  // Whoever looks names up renames a new file over the old one: the folder follows that, the file alone would not.
  const resolver = real(['/etc/resolv.conf']).map((file) => (hidden.includes(dirname(file)) ? file : dirname(file)));
  const devices = ['null', 'zero', 'full', 'random', 'urandom'].map((name) => `/dev/${name}`);
  const addresses = Object.entries(env).flatMap(([name, value]) => (name.endsWith('_URL') && value ? pathsIn(value) : []));
  const named = [env['NODE_EXTRA_CA_CERTS'], env['HOSTPLANE_ACME_CA_FILE'], ...addresses].filter((path) => path?.startsWith('/'));
  return {
    hidden: real(hidden).filter((path) => statSync(path).isDirectory()),
    shown: real([...needs.shown, ...devices, ...resolver, ...(named as string[])]),
    writable: real(needs.writable),
    stage: join(data, 'run/view'),
  };
}

/** Sockets and certificates that a server's address names. */
function pathsIn(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { hostname, searchParams } = new URL(address);
  return [decodeURIComponent(hostname), ...searchParams.values()];
}

interface Mount {
  readonly path: string;
  readonly options: readonly string[];
}

/** Of /proc/self/mountinfo: where, and with which options of the mount itself. */
export function parseMounts(mountinfo: string): Mount[] {
  const lines = mountinfo.split('\n').filter((line) => line !== '').map((line) => line.split(' '));
  return lines.map((fields) => ({ path: fields[4]!.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))), options: fields[5]!.split(',') }));
}

/** Flags that the kernel wants said again when it is to make a mount read-only. */
const LASTING = ['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime', 'nosymfollow'];

/** For `sh -e` in a fresh mount namespace; runs its arguments at the end. */
export function isolationScript({ hidden, shown, writable, stage }: View, mounts: readonly Mount[]): string {
  // What an engine keeps mounted for its containers may be a thousand mounts, and is nobody's but root's.
  const isLeft = ({ path, options }: Mount) => options.includes('ro') || writable.includes(path) || hidden.some((folder) => isBeneath(path, folder)) || isBeneath(path, '/var/lib');
  const readOnly = mounts.filter((mount) => !isLeft(mount)).map(({ path, options }) => {
    const flags = options.filter((option) => LASTING.includes(option));
    return `mount -n -o ${['remount', 'bind', 'ro', ...flags].join()} ${quoted(path)}${path === '/' ? '' : ' 2>/dev/null || :'}`;
  });
  return [
    ...writable.map((folder) => `mount -n --rbind ${quoted(folder)} ${quoted(folder)}`),
    ...readOnly,
    ...hidden.flatMap((folder) => hide(folder, stage, [...shown, ...writable, ...hidden].filter((path) => isBeneath(path, folder)))),
    `exec setpriv --bounding-set=-all${RIGHTS.split(',').map((right) => `,+${right}`).join('')} --inh-caps=-all --no-new-privs -- "$@"`,
  ].join('\n');
}

/** The empty folder is made aside, gets what is to be seen in it, and is then put over the folder: a file of a name in it that comes later stays hidden, too. */
function hide(folder: string, stage: string, kept: readonly string[]): string[] {
  // What lies in something kept is there with it.
  const tops = kept.filter((path) => !kept.some((other) => isBeneath(path, other)));
  const place = (path: string) => quoted(join(stage, relative(folder, path)));
  const shown = [...new Set(tops)].map((path) => {
    const make = statSync(path).isDirectory() ? `mkdir -p ${place(path)}` : `mkdir -p ${place(dirname(path))}; : > ${place(path)}`;
    return `${make}; mount -n --rbind ${quoted(path)} ${place(path)}`;
  });
  return [`mount -n -t tmpfs -o size=16m,mode=755 hidden ${quoted(stage)}`, ...shown, `mount -n --move ${quoted(stage)} ${quoted(folder)}`];
}

function isBeneath(path: string, folder: string): boolean {
  return path.startsWith(folder === '/' ? '/' : `${folder}/`) && path !== folder;
}

function real(paths: readonly string[]): string[] {
  return [...new Set(paths.filter((path) => existsSync(path)).map((path) => realpathSync(path)))];
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
