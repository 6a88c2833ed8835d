import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { PrivateApt } from './apt-download.js';
import { cacheFolder } from './nats-server.js';
import { dockerAddress } from './settings.js';

/** A Docker Engine that answers, and how to let go of it when it was started here. */
export interface Engine {
  readonly docker: Docker;
  readonly version: string;
  stop(): void;
}

/** Whether this process may install packages of the system here. */
const mayInstall = () => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get') && existsSync('/etc/debian_version');

/** The engine of this machine; as root on a Debian without one, installs and starts it. Else answers why there is none. */
export async function bringEngine(tell: (line: string) => void): Promise<Engine | string> {
  const found = await ping();
  if (found) return { ...found, stop: () => undefined };
  if (process.env['DOCKER_HOST']) return `no engine answers at DOCKER_HOST (${process.env['DOCKER_HOST']}).`;
  if (!mayInstall()) return 'no Docker Engine answers. Install one (Debian: apt-get install docker.io) and let this user reach it (group docker).';
  if (!hasProgram('dockerd')) {
    tell('installing docker.io');
    const problem = install(['docker.io', 'iptables', 'iproute2'], { mayStart: true });
    if (problem) return problem;
  }
  return (await starts(3_000)) ?? (await startEngine(tell));
}

/** nginx on this machine; as root on a Debian without it, installs it without starting it. Answers why there is none. */
export function bringNginx(tell: (line: string) => void): string | undefined {
  if (hasProgram('nginx')) return undefined;
  if (!mayInstall()) return 'nginx is not installed (Debian: apt-get install nginx-light).';
  tell('installing nginx');
  return install(['nginx-light'], { mayStart: false }) ?? (hasProgram('nginx') ? undefined : 'apt-get brought no nginx.');
}

/** The DNS server knot on this machine, likewise. */
export function bringKnot(tell: (line: string) => void): string | undefined {
  if (hasProgram('knotd')) return undefined;
  if (!mayInstall()) return 'knot is not installed (Debian: apt-get install knot).';
  tell('installing knot');
  return install(['knot'], { mayStart: false }) ?? (hasProgram('knotd') ? undefined : 'apt-get brought no knot.');
}

/** Where the ACME server pebble was fetched to. */
export const pebbleProgram = (): string => join(cacheFolder(), 'pebble', 'usr/bin/pebble');

/** The ACME server pebble, fetched once for this user and installed nowhere: only Debian's newest suite has one that knows renewal information (RFC 9773). */
export async function bringPebble(tell: (line: string) => void): Promise<string | undefined> {
  if (existsSync(pebbleProgram())) return undefined;
  const apt = PrivateApt.on(join(cacheFolder(), 'apt-sid'), () => 'sid', true);
  if (!apt) return 'pebble (an ACME server for tests) cannot be fetched: this machine has no apt with a mirror of its own.';
  tell('fetching pebble');
  const problem = await apt.unpack(['pebble'], join(cacheFolder(), 'pebble')).then(() => undefined, (error: Error) => `pebble cannot be fetched: ${error.message.split('\n').filter(Boolean).slice(-2).join(' ')}`);
  return problem ?? (existsSync(pebbleProgram()) ? undefined : 'apt-get brought no pebble.');
}

async function startEngine(tell: (line: string) => void): Promise<Engine | string> {
  tell('starting dockerd');
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-dockerd-'));
  const log = openSync(join(folder, 'dockerd.log'), 'a');
  const child = spawn('dockerd', [], { stdio: ['ignore', log, log], detached: true });
  child.unref();
  closeSync(log);
  const engine = await starts(60_000, () => child.exitCode !== null);
  if (!engine) return `dockerd does not start here:\n${readFileSync(join(folder, 'dockerd.log'), 'utf8').trim().split('\n').filter((line) => !line.includes('level=info')).slice(-5).join('\n')}`;
  return { ...engine, stop: () => void child.kill('SIGTERM') };
}

async function starts(withinMs: number, hasEnded = () => false): Promise<Engine | undefined> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline && !hasEnded(); await sleep(200)) {
    const found = await ping();
    if (found) return { ...found, stop: () => undefined };
  }
  return undefined;
}

async function ping(): Promise<{ docker: Docker; version: string } | undefined> {
  const address = dockerAddress(process.env);
  if (!address) return undefined;
  const docker = new Docker();
  try {
    return { docker, version: (await docker.version()).Version };
  } catch {
    return undefined;
  }
}

/** Installs packages of the system; answers what went wrong. Services start only where they may. */
function install(packages: readonly string[], { mayStart }: { mayStart: boolean }): string | undefined {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !mayStart && !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]]) {
      const done = spawnSync('apt-get', ['-qq', ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      if (done.status !== 0 && args[0] === 'install') return `apt-get ${args.join(' ')} failed: ${done.stderr.trim().split('\n').slice(-3).join(' ')}`;
    }
    return undefined;
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

function hasProgram(name: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, name)));
}
