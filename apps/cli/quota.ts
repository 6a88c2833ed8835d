import { InvalidArgumentError, type Command } from 'commander';
import type { Project } from '#api/project.js';
import { apiCommand, withSession, type Session } from './command.js';
import type { Io } from './terminal.js';

interface Options {
  readonly sites?: number | null;
  readonly memory?: number | null;
  readonly cpu?: number | null;
  readonly disk?: number | null;
  readonly reset?: boolean;
}

/** `hostplane project quota`: shows what a project has and may have, or says what it may have. */
export function addQuotaCommand(project: Command, io: Io): void {
  apiCommand(project, 'quota <project>', 'show what a project has and may have; with options, set what it may have, the rest being as for every project')
    .option('--sites <n>', 'how many sites at most, or unlimited', limit)
    .option('--memory <size>', 'memory of its containers, for example 2G, or unlimited', limit)
    .option('--cpu <cores>', 'cores of its containers, for example 1.5, or unlimited', (said: string) => (said === 'unlimited' ? null : Math.round(cores(said) * 1000)))
    .option('--disk <size>', 'its uploads and what its sites write, for example 500M, or unlimited', limit)
    .option('--reset', 'back to what the plane allows every project')
    .action(withSession(io, quota));
}

/** What is not said is as the plane allows every project. */
async function quota({ client, terminal }: Session, id: string, { sites, memory, cpu, disk, reset }: Options): Promise<void> {
  const said = { sites, memoryBytes: memory, cpuMillis: cpu, diskBytes: disk };
  const changes = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const isSet = reset === true || Object.keys(changes).length > 0;
  const { body } = isSet ? await client.call('setQuota', { params: { id }, body: changes }) : await client.call('showProject', { params: { id } });
  terminal.fields({ quota: body.quota, use: body.use }, fieldsOf(body));
}

function fieldsOf({ quota: most, use }: Project): Record<string, string> {
  const line = (used: number, of: number | null, unit: (amount: number) => string = String): string => `${unit(used)} of ${of === null ? 'unlimited' : unit(of)}`;
  return {
    Sites: line(use.sites, most.sites), Memory: line(use.memoryBytes, most.memoryBytes, size),
    Cores: line(use.cpuMillis, most.cpuMillis, (millis) => String(millis / 1000)),
    Disk: `${line(use.diskBytes, most.diskBytes, size)}${use.writtenBytes > 0 ? ` (${size(use.uploadBytes)} by uploads, ${size(use.writtenBytes)} written by sites)` : ''}`,
  };
}

const UNITS = ['', 'K', 'M', 'G', 'T'];

function size(bytes: number): string {
  const power = bytes > 0 ? Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1) : 0;
  return `${Number((bytes / 1024 ** power).toFixed(1))}${UNITS[power]}`;
}

function limit(said: string): number | null {
  if (said === 'unlimited') return null;
  const found = /^(\d{1,12})([KMGT]?)$/i.exec(said);
  if (!found) throw new InvalidArgumentError('A whole number, with K, M, G or T for powers of 1024, or unlimited is needed.');
  return Number(found[1]) * 1024 ** UNITS.indexOf((found[2] ?? '').toUpperCase());
}

function cores(said: string): number {
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(said)) throw new InvalidArgumentError('A number of cores such as 1.5, or unlimited is needed.');
  return Number(said);
}
