import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isolate, isolationScript, parseMounts, viewFor } from './isolation.js';

const home = mkdtempSync(join(tmpdir(), "hostplane isolation's-"));
const [data, sockets] = [join(home, 'data'), join(home, 'sockets')];
const engine = join(sockets, 'engine.sock');
const server = createServer();
let words: readonly string[] | undefined;
let reason = '';

beforeAll(async () => {
  for (const folder of [join(data, 'content'), sockets]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(data, 'credentials.json'), 'planted-value');
  await once(server.listen(engine), 'listening');
  const isolation = await isolate(viewFor(data, { DOCKER_HOST: `unix://${engine}` }, { shown: [process.cwd()], writable: [join(data, 'content')] }));
  if ('words' in isolation) ({ words } = isolation);
  else ({ reason } = isolation);
  if (!words) process.stderr.write(`No isolation can be tried here: ${reason}\n`);
});
afterAll(() => {
  server.close();
  rmSync(home, { recursive: true, force: true });
});

function run(...command: string[]): ChildProcess {
  const [program, ...args] = [...words!, ...command];
  return spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What a shell in there prints; its complaints as well. */
async function shell(script: string): Promise<string> {
  const child = run('sh', '-c', `exec 2>&1; ${script}`);
  return (await text(child.stdout!)).trim();
}

const connects = (path: string) => `${process.execPath} -e 'require("net").connect(process.argv[1]).on("connect", () => { console.log("connected"); process.exit(); }).on("error", (e) => console.log(e.code))' '${path.replaceAll("'", `'\\''`)}'`;

/** Where the kernel refuses, there is nothing to try: then only that it says so. */
const where = (story: () => Promise<void>) => async () => {
  if (words) await story();
  else expect(reason).toMatch(/./);
};

describe('an isolated process', () => {
  it('finds no engine, also none that listens anew, where the others find it', where(async () => {
    const others = spawn('sh', ['-c', connects(engine)]);
    expect((await text(others.stdout)).trim()).toBe('connected');
    expect(await shell(`${connects(engine)}; ls -A /run /dev/shm`)).toMatch(/^ENOENT\n/);
    const child = run('sh', '-c', `while [ ! -e '${data.replaceAll("'", `'\\''`)}/content/go' ]; do sleep 0.02; done; ${connects(engine)}`);
    server.close();
    await once(server, 'close');
    await once(server.listen(engine), 'listening');
    writeFileSync(join(data, 'content/go'), '');
    expect((await text(child.stdout!)).trim()).toBe('ENOENT');
  }));

  it('sees of the data folder what it needs, writes there, and nowhere else', where(async () => {
    const inside = `cd '${data.replaceAll("'", `'\\''`)}'`;
    expect(await shell(`${inside}; ls -A; echo kept > content/file; cat content/file`)).toBe('content\nkept');
    expect(await shell(`touch ${process.cwd()}/planted /etc/planted ${homedir()}/planted /usr/planted`)).toMatch(/^(.*Read-only file system\n?|.*Permission denied\n?)+$/);
  }));

  it('can neither undo that nor enter another process', where(async () => {
    for (const attempt of ['umount /run', 'mount -o remount,rw /', 'unshare --user --map-root-user --mount umount /run', `nsenter --target ${process.pid} --mount true`, `ls /proc/${process.pid}/root/`, `head -c1 /proc/${process.pid}/mem`]) {
      expect(await shell(`${attempt} && echo done`)).not.toMatch(/done/);
    }
    expect(await shell('grep NoNewPrivs /proc/self/status')).toMatch(/1$/);
  }));

  it('keeps its number, its signals and its exit code', where(async () => {
    const child = run('sh', '-c', 'trap "exit 7" TERM; echo $$; while :; do sleep 0.02; done');
    const [first] = (await once(child.stdout!, 'data')) as [Buffer];
    expect(Number(first)).toBe(child.pid);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([7, null]);
    const killed = run('sleep', '60');
    killed.kill('SIGKILL');
    expect(await once(killed, 'exit')).toEqual([null, 'SIGKILL']);
  }));
});

describe('the isolation', () => {
  it('reads mounts as the kernel writes them', () => {
    expect(parseMounts('42 27 254:0 / /var/a\\040b rw,nosuid,relatime shared:1 - ext4 /dev/vda rw\n')).toEqual([{ path: '/var/a b', options: ['rw', 'nosuid', 'relatime'] }]);
  });

  it('makes read-only what may be written, with the flags that it has, and leaves an engine’s own mounts alone', () => {
    const mounts = [['/', 'rw,relatime'], ['/home', 'rw,nosuid,nodev'], ['/usr', 'ro'], ['/var/lib/docker/overlay2/a', 'rw'], ['/run/netns', 'rw'], ['/data/content', 'rw']] as const;
    const script = isolationScript({ hidden: ['/run'], shown: [], writable: ['/data/content'], stage: '/stage' }, mounts.map(([path, options]) => ({ path, options: options.split(',') })));
    expect(script.split('\n')).toEqual([
      "mount -n --rbind '/data/content' '/data/content'",
      "mount -n -o remount,bind,ro,relatime '/'",
      "mount -n -o remount,bind,ro,nosuid,nodev '/home' 2>/dev/null || :",
      "mount -n -t tmpfs -o size=16m,mode=755 hidden '/stage'",
      "mount -n --move '/stage' '/run'",
      'exec setpriv --bounding-set=-all,+net_bind_service,+dac_override --inh-caps=-all --no-new-privs -- "$@"',
    ]);
  });

  it('is refused for a socket in the root folder, which cannot be hidden', async () => {
    expect(await isolate({ ...viewFor(data, {}, { shown: [], writable: [] }), hidden: ['/'] })).toEqual({ reason: expect.stringContaining('root folder') });
  });
});
