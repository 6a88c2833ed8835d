import { spawn, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { PrivateApt } from '../start/apt-download.js';
import { cacheFolder } from '../start/nats-server.js';
import { recipes, testImage, type ImageName, type Recipe } from './recipes.js';

/** Debian 13's packages: their programs need no newer kernel than any machine has, and are what the official images are near to. */
const SUITE = 'trixie';
const LABEL = 'hostplane-test.recipe';
const FILES = import.meta.dirname.replace(/[\\/]dist([\\/]infra[\\/]images)$/, '$1');

/**
 * Makes the stand-in images that the engine does not have yet, or has from another recipe; says which. Needs no root and no registry,
 * only Debian's mirror; answers undefined on a machine that has none.
 */
export async function buildImages(docker: Docker, tell: (line: string) => void): Promise<readonly ImageName[] | undefined> {
  const missing: ImageName[] = [];
  for (const name of Object.keys(recipes) as ImageName[]) {
    if ((await labelOf(docker, testImage(name))) !== hashOf(recipes[name])) missing.push(name);
  }
  if (!missing.length) return [];
  const apt = PrivateApt.on(join(cacheFolder(), 'apt'), () => SUITE);
  if (!apt) return undefined;
  for (const name of missing) {
    tell(`building ${testImage(name)}`);
    await build(docker, apt, recipes[name]);
  }
  return missing;
}

async function build(docker: Docker, apt: PrivateApt, recipe: Recipe): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-image-'));
  try {
    const unpacked = join(folder, 'unpacked');
    makeMerged(unpacked);
    await apt.unpack(recipe.packages, unpacked, recipe.dependencies);
    if (recipe.alone) await apt.unpack(recipe.alone, unpacked);
    const root = recipe.keep.length ? pick(unpacked, join(folder, 'root'), recipe.keep) : prune(unpacked);
    addApplets(root);
    cpSync(join(FILES, recipe.name), root, { recursive: true });
    for (const path of recipe.writable) {
      mkdirSync(join(root, path), { recursive: true });
      chmodSync(join(root, path), 0o1777);
    }
    await importRoot(docker, root, recipe);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** /bin, /sbin and /lib are links into /usr, as every Debian has them now. */
function makeMerged(root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
}

function pick(from: string, to: string, paths: readonly string[]): string {
  makeMerged(to);
  for (const path of paths) if (existsSync(join(from, path))) cpSync(join(from, path), join(to, path));
  return to;
}

/** What no container needs. */
function prune(root: string): string {
  const { multiarch } = { multiarch: readdirSync(join(root, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')) ?? '' };
  const useless = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian', 'usr/share/bug', 'usr/share/perl', 'usr/share/perl5', `usr/lib/${multiarch}/perl-base`, `usr/lib/${multiarch}/gconv`, 'etc/nginx/sites-enabled', 'etc/nginx/sites-available', 'etc/nginx/modules-enabled'];
  for (const path of useless) rmSync(join(root, path), { recursive: true, force: true });
  return root;
}

/** busybox under the names of its commands, where nothing else has the name. */
function addApplets(root: string): void {
  const busybox = join(root, 'usr/bin/busybox');
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    const isThere = ['usr/bin', 'usr/sbin'].some((folder) => lstatSync(join(root, folder, applet), { throwIfNoEntry: false }));
    if (!isThere) symlinkSync('busybox', join(root, 'usr/bin', applet));
  }
}

async function importRoot(docker: Docker, root: string, recipe: Recipe): Promise<void> {
  const tar = spawn('tar', ['-C', root, '--owner=0', '--group=0', '--numeric-owner', '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [repo, tag] = testImage(recipe.name as ImageName).split(':') as [string, string];
  const changes = [...recipe.changes, `LABEL ${LABEL}=${hashOf(recipe)}`];
  if (!recipe.finish) return importTar(docker, tar.stdout, { repo, tag, changes });
  await importTar(docker, tar.stdout, { repo, tag: 'unfinished', changes: [] });
  await finish(docker, recipe.finish, { repo, tag, changes });
}

interface Target {
  readonly repo: string;
  readonly tag: string;
  readonly changes: readonly string[];
}

async function importTar(docker: Docker, tar: NodeJS.ReadableStream, { repo, tag, changes }: Target): Promise<void> {
  const answer = await docker.importImage(tar, { fromSrc: '-', repo, tag, changes });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(answer, (error: Error | null, said: { error?: string }[]) => {
      const problem = error?.message ?? said?.find((line) => line.error)?.error;
      if (problem) reject(new Error(`The engine did not take ${repo}: ${problem}`));
      else resolve();
    });
  });
}

/** What needs the image's own programs is done in a container of it, which then becomes the image. */
async function finish(docker: Docker, script: string, { repo, tag, changes }: Target): Promise<void> {
  const unfinished = `${repo}:unfinished`;
  const container = await docker.createContainer({ Image: unfinished, Hostname: 'localhost', Cmd: ['/bin/sh', '-euc', script], HostConfig: { NetworkMode: 'none' } });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    if (StatusCode !== 0) throw new Error(`${repo} could not be finished (${StatusCode}): ${String(await container.logs({ stdout: true, stderr: true }))}`);
    await container.commit({ repo, tag, changes });
  } finally {
    await container.remove({ force: true, v: true });
    await docker.getImage(unfinished).remove();
  }
}

async function labelOf(docker: Docker, image: string): Promise<string | undefined> {
  const found = await docker.getImage(image).inspect().catch(() => undefined);
  return found?.Config.Labels?.[LABEL];
}

function hashOf(recipe: Recipe): string {
  const hash = createHash('sha256').update(JSON.stringify([SUITE, process.arch, recipe]));
  for (const file of readdirSync(join(FILES, recipe.name), { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(FILES, recipe.name, file);
    if (statSync(path).isFile()) hash.update(file).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}
