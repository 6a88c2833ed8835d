import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deriveId } from '#contracts/ids.js';
import type { Meta, NewMessage } from '#contracts/message.js';
import { decodeData, type MessageType } from '#contracts/registry.js';
import { nthSubnet } from '#domain/network/ipv4.js';
import { APPS, WRITERS, type App } from '#eventstore/apps.js';
import { EventStore, type RawMessage } from '#eventstore/event-store.js';
import { activateDomain } from './activate-domain.js';
import type { LivePlane } from './live-plane.js';
import { milliseconds, say } from './table.js';

/** Room for the networks of 4,096 projects. No engine makes them. */
export const GROWN_POOL = '10.64.0.0/12';

/** Sites of one copy. */
const SITES = 10;
/** In every name of the first project, and in nothing else. */
const NAME = 'specimen';
const DOMAIN = `${NAME}.example.com`;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const ABREAST = 8;
const PREFIX = 24;
/** Until the site, too, has noted its domain. */
const NOTED_MS = 3_000;

/** How a copy spells what the first project has: its ids, its names, its subnet. */
type Spell = (text: string) => string;

/**
 * A plane whose log grows by the histories of live sites. The plane itself makes the first project, with ten sites of which one has a domain; every other one is a copy
 * of all that the log and the sites' folder then hold of it, under ids, names and a subnet of its own, so that routes, projections, pollers and watchers have each to carry. What the bus gives the
 * apps to do of a copy counts as done.
 */
export class GrownLog {
  private copies = 0;

  private constructor(
    private readonly plane: LivePlane,
    private readonly specimen: readonly RawMessage[],
    private readonly siteIds: readonly string[],
    private readonly planeId: string,
  ) {}

  /** Makes the first ten sites. */
  static async begin(plane: LivePlane): Promise<GrownLog> {
    const { store, close } = openStores(plane);
    const before = await store('lifecycle').head();
    const projectId = await plane.project(NAME);
    const sites = [];
    for (let n = 0; n < SITES; n++) sites.push((await plane.launch(`${NAME}-${n}`, 'files', projectId)).site);
    await plane.settled(sites);
    await activateDomain(plane, store('domains'), { siteId: sites[0]!.id, name: DOMAIN });
    await sleep(NOTED_MS);
    const specimen = await store('lifecycle').readRaw({ after: before, limit: 100_000 });
    await close();
    const planeId = (await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim();
    return new GrownLog(plane, specimen, sites.map(({ id }) => id), planeId);
  }

  /** Brings the log to so many sites and has the plane start anew with them; milliseconds of that start, in which the read model catches up. */
  async growTo(sites: number): Promise<number> {
    const wanted = Math.ceil(sites / SITES) - 1;
    await this.plane.halt();
    const { store, close } = openStores(this.plane);
    const began = performance.now();
    let next = this.copies + 1;
    await Promise.all(Array.from({ length: ABREAST }, async () => {
      while (next <= wanted) await this.copy(next++, store);
    }));
    this.copies = Math.max(this.copies, wanted);
    say(`  ${sites} sites, ${await store('relay').head()} messages written in ${milliseconds(performance.now() - began)}`);
    await this.plane.takeAsDone(store('relay'));
    await close();
    return this.plane.restart();
  }

  /** Whoever writes before others is named before them: a reader finds the site before what happened to it. */
  private async copy(n: number, store: (app: App) => EventStore): Promise<void> {
    const spell = this.spelling(n);
    for (const siteId of this.siteIds) await copyFolder(join(this.plane.folder, 'sites', siteId), join(this.plane.folder, 'sites', spell(siteId)), spell);
    for (const app of ['lifecycle', 'secrets', 'provisioner', 'domains'] as const) {
      const streams = Map.groupBy(this.specimen.filter(({ streamId }) => isWrittenBy(app, streamId)), ({ streamId }) => streamId);
      const own = [...streams].filter(([id]) => !id.startsWith('pool/'));
      await store(app).append(own.map(([id, messages]) => ({ streamId: spell(id), expectedVersion: 0, messages: messages.map((message) => respelled(message, spell)) })));
    }
    for (const lease of this.specimen.filter(({ streamId }) => streamId.startsWith('pool/'))) await appendAnywhere(store('lifecycle'), lease.streamId, respelled(lease, spell));
  }

  /** Whoever asked stays who they are, and so does the plane. */
  private spelling(n: number): Spell {
    const kept = new Set([this.planeId, ...this.specimen.flatMap(({ meta }) => (JSON.parse(meta) as Meta).actor.match(UUID) ?? [])]);
    const leased = this.specimen.find(({ type }) => type === 'SubnetLeased')!;
    const { subnet } = JSON.parse(leased.data) as { subnet: string };
    const first = Array.from({ length: 16 }, (_, i) => i).find((i) => nthSubnet(GROWN_POOL, PREFIX, i) === subnet)!;
    const own = nthSubnet(GROWN_POOL, PREFIX, first + n)!;
    const name = `copy-${String(n).padStart(5, '0')}`;
    return (text) => text.replace(UUID, (id) => (kept.has(id) ? id : deriveId(id, n))).replaceAll(subnet, own).replaceAll(NAME, name);
  }
}

function respelled({ id, kind, type, data, meta }: RawMessage, spell: Spell): NewMessage {
  return { id: spell(id), kind, type, data: decodeData(type as MessageType, spell(data)), meta: JSON.parse(spell(meta)) as Meta } as NewMessage;
}

function isWrittenBy(app: App, streamId: string): boolean {
  return (WRITERS[app] as readonly string[]).includes(streamId.split('/')[0]!);
}

/** To a stream that others write as well. */
async function appendAnywhere(store: EventStore, streamId: string, message: NewMessage): Promise<void> {
  for (;;) {
    const expectedVersion = (await store.readStream(streamId)).length;
    const isDone = await store.append([{ streamId, expectedVersion, messages: [message] }]).then(() => true, (error: Error) => {
      if (error.name !== 'ConflictError') throw error;
      return false;
    });
    if (isDone) return;
  }
}

/** Files that say whose they are are written anew, all others are the same ones. */
async function copyFolder(from: string, to: string, spell: Spell): Promise<void> {
  if (existsSync(to)) return;
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, spell(entry.name))];
    if (entry.isDirectory()) await copyFolder(source, target, spell);
    else if (entry.isSymbolicLink()) await symlink(spell(await readlink(source)), target);
    else if (entry.name === 'workload.json') await writeFile(target, spell(await readFile(source, 'utf8')));
    else await link(source, target);
  }
}

function openStores(plane: LivePlane): { store: (app: App) => EventStore; close: () => Promise<void> } {
  const stores = new Map(APPS.map((app) => [app, new EventStore({ connectionString: plane.databaseUrlOf(app), app })]));
  return { store: (app) => stores.get(app)!, close: async () => void (await Promise.all([...stores.values()].map((one) => one.close()))) };
}
