import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` };
const STARTS_WITHIN_MS = 10_000;

/** A real authoritative DNS server of a test's own, on loopback. */
export class Knot {
  private constructor(
    private readonly folder: string,
    readonly address: string,
    private readonly child: ChildProcess,
  ) {}

  /** With empty zones of these names. */
  static async start(...zones: string[]): Promise<Knot> {
    const folder = mkdtempSync(join(tmpdir(), 'hostplane-knot-'));
    const port = await freeDnsPort();
    for (const zone of zones) writeFileSync(join(folder, `${zone}.zone`), `$ORIGIN ${zone}.\n@ 0 SOA ns.${zone}. admin.${zone}. 1 60 60 60 0\n@ 0 NS ns.${zone}.\nns 0 A 127.0.0.1\n`);
    const config = `server:\n    rundir: "${folder}"\n    listen: 127.0.0.1@${port}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\ncontrol:\n    listen: "${folder}/knot.sock"\ndatabase:\n    storage: "${folder}"\ntemplate:\n  - id: default\n    storage: "${folder}"\n    file: "%s.zone"\nzone:\n${zones.map((zone) => `  - domain: ${zone}\n`).join('')}`;
    writeFileSync(join(folder, 'knot.conf'), config);
    const child = spawn('knotd', ['-c', join(folder, 'knot.conf')], { env, stdio: 'ignore' });
    const knot = new Knot(folder, `127.0.0.1:${port}`, child);
    for (const end = Date.now() + STARTS_WITHIN_MS; ; await sleep(50)) {
      if (await knot.control('zone-status').then((said) => zones.every((zone) => said.includes(`[${zone}.] role: master | serial: 1`)), () => false)) return knot;
      if (Date.now() > end || child.exitCode !== null) throw new Error('knotd does not start.');
    }
  }

  /** Adds records such as `shop.example.com. A 192.0.2.1` to a zone. */
  set(zone: string, ...records: string[]): Promise<void> {
    return this.change(zone, 'zone-set', records.map((record) => record.replace(/^(\S+) /, '$1 0 ')));
  }

  /** Removes what a name has of a type. */
  unset(zone: string, ...owners: string[]): Promise<void> {
    return this.change(zone, 'zone-unset', owners);
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    if (this.child.exitCode === null && this.child.kill('SIGTERM')) await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async change(zone: string, command: string, records: readonly string[]): Promise<void> {
    await this.control('zone-begin', zone);
    for (const record of records) await this.control(command, zone, ...parts(record));
    await this.control('zone-commit', zone);
  }

  private async control(...args: string[]): Promise<string> {
    return (await run('knotc', ['-b', '-s', join(this.folder, 'knot.sock'), ...args], { env })).stdout;
  }
}

/** A record's words; what stands in quotes is one, with its quotes. */
const parts = (record: string): string[] => record.match(/(?:"[^"]*"|\S)+/g) ?? [];

/** Free for UDP and TCP. */
async function freeDnsPort(): Promise<number> {
  for (;;) {
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    const isFree = await new Promise<boolean>((resolve) => udp.once('error', () => resolve(false)).bind(port, '127.0.0.1', () => resolve(true)));
    if (isFree) udp.close();
    tcp.close();
    await once(tcp, 'close');
    if (isFree) return port;
  }
}
