import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../infra/start/ports.js';
import { untilServed } from './until-served.js';

const run = promisify(execFile);

/** An nginx that routes by a map of hosts, driven by nothing but its own command line and signals: what a change of the edge costs at least. */
export class BareNginx {
  private readonly places = new Map<string, string>();

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(): Promise<BareNginx> {
    const nginx = new BareNginx(await mkdtemp(join(tmpdir(), 'hostplane-bench-nginx-')), await freePort());
    await mkdir(join(nginx.folder, 'empty'));
    await nginx.write();
    await nginx.call();
    return nginx;
  }

  /** A host that leads to `address:port`, or to a `/folder`: written, checked, reloaded, and asked for until it is served. */
  async route(host: string, place: string): Promise<void> {
    this.places.set(host, place);
    await this.write();
    await this.call('-t', '-q');
    process.kill(await this.master(), 'SIGHUP');
    await untilServed(`http://${host}:${this.port}/`);
  }

  async stop(): Promise<void> {
    const master = await this.master();
    process.kill(master, 'SIGTERM');
    while (await readFile(join(this.folder, 'nginx.pid')).then(() => true, () => false)) await sleep(10);
    await rm(this.folder, { recursive: true, force: true });
  }

  private async master(): Promise<number> {
    return Number(await readFile(join(this.folder, 'nginx.pid'), 'utf8'));
  }

  private async call(...args: string[]): Promise<void> {
    const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;
    await run('nginx', ['-p', this.folder, '-e', join(this.folder, 'error.log'), '-c', join(this.folder, 'nginx.conf'), ...args], { env: { ...process.env, PATH } });
  }

  private async write(): Promise<void> {
    const lines = [...this.places].map(([host, place]) => `    ${host} ${place};\n`);
    await writeFile(join(this.folder, 'nginx.conf'), `${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${this.folder}/nginx.pid;
error_log ${this.folder}/error.log error;
worker_processes 2;
events {}
http {
  access_log off;
  map $host $place {
    default "";
${lines.join('')}  }
  map $place $kind {
    default @container;
    ~^/ @files;
  }
  server {
    listen 127.0.0.1:${this.port};
    root ${this.folder}/empty;
    location / { try_files /none $kind; }
    location @container { proxy_set_header Host $http_host; proxy_pass http://$place; }
    location @files { root $place; index index.html; }
  }
}
`);
  }
}
