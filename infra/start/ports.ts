import { randomInt } from 'node:crypto';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { commandOf } from './processes.js';

/** Below the ports that Linux gives to connections that go out (32768 and up): nothing takes one of these in passing while its server is away. */
const OWN_PORTS = { from: 12_000, to: 20_000 };
const TRIES = 100;

/** A port that nobody listens on right now, and that no outgoing connection is given. Nobody else gets it from here while this process lives: what is to listen there may take seconds to start. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(OWN_PORTS.from, OWN_PORTS.to);
    if ((await reserve(port)) && (await listenOnce(host, port).then(() => true, () => false))) return port;
  }
  return listenOnce(host, 0);
}

/** Whether the port is this process's by now: by a name among Linux's abstract sockets, which all processes of this network see and which goes with whoever has it. */
function reserve(port: number): Promise<boolean> {
  const name = createServer();
  return new Promise((resolve) => {
    name.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'EADDRINUSE'));
    name.listen({ path: `\0hostplane-port-${port}` }, () => resolve(true)).unref();
  });
}

export interface WantedPort {
  readonly port: number;
  /** What it is for, in a person's words. */
  readonly purpose: string;
  /** The variable that changes it. */
  readonly variable: string;
}

/** Throws when one of the ports cannot be had; the message says which, who has it when that can be seen, and what to do. */
export async function assertFree(host: string, wanted: readonly WantedPort[]): Promise<void> {
  const problems: string[] = [];
  for (const { port, purpose, variable } of wanted) {
    const code = await listenOnce(host, port).then(() => undefined, (error: NodeJS.ErrnoException) => error.code ?? error.message);
    if (code) problems.push(describe(code, host, port, purpose, variable));
  }
  if (problems.length) throw new Error(problems.join('\n'));
}

function describe(code: string, host: string, port: number, purpose: string, variable: string): string {
  if (code === 'EADDRINUSE') {
    const by = holderOf(port);
    return `Port ${port} (${purpose}) is taken${by ? ` by ${by}` : ''}. Stop what holds it, or choose another port with ${variable}=<port>.`;
  }
  if (code === 'EACCES') return `Port ${port} (${purpose}) is only for root here. Choose one from 1024 up with ${variable}=<port>.`;
  if (code === 'EADDRNOTAVAIL') return `This machine has no address ${host} to listen on (${purpose}, port ${port}). Set HOSTPLANE_BIND to one that it has.`;
  return `Port ${port} (${purpose}) cannot be listened on: ${code}. ${variable} changes it.`;
}

/** Who listens on a TCP port: `<command> (pid <n>)`, as far as /proc shows it to this user. */
export function holderOf(port: number): string | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeners(table, port)));
  if (!inodes.size) return undefined;
  for (const pid of readdir('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of readdir(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readlink(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode && inodes.has(inode)) return `${commandOf(Number(pid)).slice(0, 80)} (pid ${pid})`;
    }
  }
  return undefined;
}

/** Socket inodes in LISTEN (0A) on a port, from the kernel's table. */
function listeners(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readText(`/proc/net/${table}`)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) && fields[3] === '0A')
    .map((fields) => fields[9]!);
}

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      const { port: got } = server.address() as { port: number };
      server.close(() => resolve(got));
    });
  });
}

function readdir(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
