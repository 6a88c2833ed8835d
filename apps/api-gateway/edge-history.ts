import type { OnApplicationShutdown } from '@nestjs/common';
import { streamId, type StoredMessage } from '#contracts/message.js';
import { Refusal } from '#domain/refusal.js';
import type { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import type { EdgeCertificate, RouteTable } from '#providers/edge.js';
import { HostRoutes } from '#providers/host-routes.js';

/** What a host's edge had confirmed to serve at one moment, and what it was rendered from. */
export interface EdgeMoment {
  readonly edge: string;
  readonly rendering: Readonly<Record<string, unknown>>;
  readonly table: RouteTable;
  readonly servedHash: string;
  readonly servedSince: string;
  /** Of the log, where the host confirmed it. */
  readonly confirmedAt: number;
}

/** What a host's edge should serve now. */
export interface EdgeNow {
  readonly rendering: Readonly<Record<string, unknown>>;
  readonly table: RouteTable;
}

interface Served {
  readonly revision: number;
  readonly hash: string;
  readonly since: string;
  readonly position: number;
}

const BATCH = 2_000;
const READ_TIMEOUT_MS = 30_000;

/** The edges of all hosts, folded from the log: nothing is asked of a host, and none has to be up. */
export class EdgeHistory implements OnApplicationShutdown {
  private readonly followed = new Map<string, { readonly routes: HostRoutes; readonly follower: Follower }>();

  constructor(private readonly store: EventStore) {}

  /** As it was when the log ended at a position; undefined: the host had no edge that recorded what it renders from. */
  async at(hostId: string, position: number): Promise<EdgeMoment | undefined> {
    const started = (await this.startsOf(hostId)).filter((start) => start.position <= position).at(-1);
    if (!started) return undefined;
    const { edge, rendering, servedRevision, configHash } = started.data;
    const confirmed = new Set<number>();
    let served: Served = { revision: servedRevision, hash: configHash, since: started.recordedAt, position: started.position };
    for await (const message of this.read(['edge'], 0, position)) {
      if ((message.type !== 'EdgeApplied' && message.type !== 'CertificateApplied') || message.data.hostId !== hostId) continue;
      const { revision, servedRevision, configHash } = message.data;
      if (message.type === 'CertificateApplied') confirmed.add(revision);
      if (message.position > started.position && servedRevision > 0) served = sooner(served, { revision: servedRevision, hash: configHash, since: message.recordedAt, position: message.position });
    }
    const table = await this.tableAt(hostId, served.revision, confirmed);
    return { edge, rendering: JSON.parse(rendering) as Record<string, unknown>, table, servedHash: served.hash, servedSince: served.since, confirmedAt: served.position };
  }

  /** As it should be now; its revision stays while nothing of the host changes. */
  async now(hostId: string): Promise<EdgeNow | undefined> {
    const started = (await this.startsOf(hostId)).at(-1);
    if (!started) return undefined;
    const { routes, follower } = this.follow(hostId);
    if (!(await follower.waitFor(await this.store.head(), READ_TIMEOUT_MS))) return undefined;
    return { rendering: JSON.parse(started.data.rendering) as Record<string, unknown>, table: routes.settledTable() };
  }

  /** The position that a moment means: itself, or that of the last message that was recorded by a time. Nobody knows what comes after the end of the log. */
  async positionOf(moment: number | string): Promise<number> {
    const head = await this.store.head();
    const isToCome = typeof moment === 'number' ? moment > head : Date.parse(moment) > Date.now();
    if (isToCome) throw new Refusal('invalid', `${typeof moment === 'number' ? `Position ${moment}` : moment} is still to come: the log ends at position ${head}.`, 'at');
    return typeof moment === 'number' ? moment : this.lastBy(moment, head);
  }

  /** The log's times grow with its positions. */
  private async lastBy(time: string, head: number): Promise<number> {
    let [low, high] = [0, head];
    const until = Date.parse(time);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [message] = await this.store.read({ after: middle - 1, limit: 1 });
      if (message && Date.parse(message.recordedAt) <= until) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.followed.values()].map(({ follower }) => follower.stop()));
  }

  private follow(hostId: string): { readonly routes: HostRoutes; readonly follower: Follower } {
    const known = this.followed.get(hostId);
    if (known) return known;
    const routes = new HostRoutes(hostId);
    const made = { routes, follower: follow(this.store, { categories: [...HostRoutes.categories], apply: (messages, position) => routes.apply(messages, position) }) };
    this.followed.set(hostId, made);
    return made;
  }

  /** Routes and certificates as of a position. A certificate is served once the host has it, which its answer to the command at one of the `confirmed` positions says. */
  private async tableAt(hostId: string, revision: number, confirmed: ReadonlySet<number>): Promise<RouteTable> {
    const routes = new HostRoutes(hostId);
    const wanted = new Map<string, EdgeCertificate & { readonly isHeld: boolean }>();
    for await (const message of this.read(['route', 'certificate'], 0, revision)) {
      if (message.type === 'RemoveCertificate' && message.data.hostId === hostId) wanted.delete(message.data.certificateId);
      else if (message.type === 'EnsureCertificate') {
        const { certificateId, hostnames } = message.data;
        if (message.data.hostId !== hostId) wanted.delete(certificateId);
        else wanted.set(certificateId, { certificateId, hostnames, isHeld: confirmed.has(message.position) || wanted.get(certificateId)?.isHeld === true });
      } else routes.apply([message], message.position);
    }
    routes.apply([], revision);
    const certificates = [...wanted.values()].flatMap(({ isHeld, certificateId, hostnames }) => (isHeld ? [{ certificateId, hostnames }] : []));
    return { ...routes.table(), certificates };
  }

  private async startsOf(hostId: string): Promise<StoredMessage<'EdgeStarted'>[]> {
    return (await this.store.readStream(streamId('edge-host', hostId))) as StoredMessage<'EdgeStarted'>[];
  }

  private async *read(categories: readonly string[], after: number, upTo: number): AsyncGenerator<StoredMessage> {
    for (let position = after; ; ) {
      const batch = await this.store.read({ after: position, limit: BATCH, categories });
      for (const message of batch) {
        if (message.position > upTo) return;
        yield message;
      }
      if (batch.length < BATCH) return;
      position = batch.at(-1)!.position;
    }
  }
}

/** Many answers tell of one version: it serves since the first of them. */
const sooner = (before: Served, next: Served): Served => (before.revision === next.revision && before.hash === next.hash ? before : next);
