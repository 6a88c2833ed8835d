import type { AppliedEdge, EdgeProofs, EdgeProvider, RouteTable } from '#providers/edge.js';
import type { HostRoutes } from '#providers/host-routes.js';
import { ProviderError } from '#providers/provider-error.js';
import type { HostCertificates } from './host-certificates.js';

/** How far the routes and certificates have been read, and a way to wait for more. */
export interface RouteSource {
  readonly routes: HostRoutes;
  readonly certificates: HostCertificates;
  waitFor(position: number, timeoutMs: number): Promise<boolean>;
}

/** An edge that has come up: what it serves, and what that is rendered from besides the routes. */
export interface StartedEdge extends AppliedEdge {
  readonly edge: string;
  /** JSON. */
  readonly rendering: string;
}

/** A reload is worth waiting this long for company: sites that come at once then share it. Milliseconds. */
const GATHER_MS = 10;
const READ_TIMEOUT_MS = 10_000;

/** Brings the edge to the log: asks that come while one is being applied share the next one. */
export class HostEdge {
  private next: Promise<AppliedEdge> | undefined;
  private current: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly provider: EdgeProvider,
    private readonly source: RouteSource,
    /** Whether visitors are served on while the provisioner is away. */
    private readonly stays: boolean,
  ) {}

  get proofs(): EdgeProofs {
    return this.provider.proofs;
  }

  /** Returns once the edge is confirmed to serve every route up to this log position. */
  async serve(position: number): Promise<AppliedEdge> {
    await this.read(position);
    return (this.next ??= this.applyAfter(this.current));
  }

  /** Returns once what the log says up to this position is known here. */
  async read(position: number): Promise<void> {
    if (!(await this.source.waitFor(position, READ_TIMEOUT_MS))) {
      throw new ProviderError(`The routes up to position ${position} of the log could not be read within ${READ_TIMEOUT_MS} ms.`, true);
    }
  }

  /** Starts the edge with what it served last, then with the routes as of this log position; answers what it serves then, and from what. */
  async restore(position: number): Promise<StartedEdge> {
    await this.source.certificates.load();
    await this.provider.start();
    return this.started(await this.serve(position));
  }

  /** Brings an edge up that does not answer, with the routes as they are now. Answers what it serves then; undefined: that was not needed. */
  async revive(): Promise<StartedEdge | undefined> {
    if (await this.provider.served()) return undefined;
    await this.provider.start();
    return this.started(await this.provider.apply(this.table()));
  }

  /** Nobody looks after the edge from here on: stops it, unless it is to stay. */
  async leave(): Promise<void> {
    if (!this.stays) await this.provider.stop();
  }

  private table(): RouteTable {
    return { ...this.source.routes.table(), certificates: this.source.certificates.served() };
  }

  private async started(applied: AppliedEdge): Promise<StartedEdge> {
    return { ...applied, edge: this.provider.name, rendering: JSON.stringify(await this.provider.rendering()) };
  }

  private async applyAfter(previous: Promise<unknown>): Promise<AppliedEdge> {
    await previous.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    const run = this.provider.apply(this.table());
    this.current = run;
    this.next = undefined;
    return run;
  }
}
