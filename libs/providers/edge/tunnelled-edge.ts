import type { AppliedEdge, EdgeCertificates, EdgeFeatures, EdgeProofs, EdgeProvider, RouteTable } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { TunnelTrouble, type TunnelProvider } from '../tunnel.js';

/**
 * An edge that visitors reach through a tunnel: what comes is led here after the edge serves it, what goes is led here no longer before the edge lets go of it. Sites' own names are one
 * rule with a star, so that the tunnel changes only with custom domains, and is not asked while they stay: one that is away holds up no site.
 */
export class TunnelledEdge implements EdgeProvider {
  readonly name: string;
  readonly features: EdgeFeatures;
  readonly proofs: EdgeProofs;
  readonly certificates: EdgeCertificates;
  private led: ReadonlySet<string> | undefined;
  /** What the tunnel has confirmed to know, and nobody has begun to change since. */
  private confirmed: readonly string[] | undefined;
  private last: RouteTable | undefined;
  private isComingUp = false;

  constructor(
    private readonly edge: EdgeProvider,
    private readonly tunnel: TunnelProvider,
    private readonly baseDomain: string,
    private readonly tell: (line: string) => void,
  ) {
    this.features = edge.features;
    this.proofs = edge.proofs;
    this.certificates = edge.certificates;
    this.name = edge.name;
  }

  /** A tunnel that does not come up keeps no edge from doing so: it is tended to later. */
  async start(): Promise<void> {
    await this.edge.start();
    await this.tunnel.start().catch((error: unknown) => this.tell(`The tunnel does not come up: ${(error as Error).message}`));
    this.led = new Set((await this.tunnel.served().catch(() => undefined))?.hostnames);
    this.isComingUp = true;
  }

  async apply(table: RouteTable): Promise<AppliedEdge> {
    const isComingUp = this.isComingUp;
    this.isComingUp = false;
    const wanted = tunnelledNames(table, this.baseDomain);
    const staying = wanted.filter((name) => this.led?.has(name));
    if (!isComingUp && this.led && staying.length < this.led.size) await this.lead(table.revision, staying);
    const applied = await this.edge.apply(table);
    if (applied.revision > table.revision) return { ...applied, tunnel: this.tunnel.id };
    this.last = table;
    if (!isComingUp && areSame(this.confirmed, wanted)) return { ...applied, tunnel: this.tunnel.id };
    try {
      await this.lead(table.revision, wanted);
    } catch (error) {
      // Nobody waits for the first table after a start: the edge is up with it, and the tunnel is tended to.
      if (!isComingUp || !(error instanceof TunnelTrouble)) throw error;
      this.tell(error.message);
      return applied;
    }
    return { ...applied, tunnel: this.tunnel.id };
  }

  served(): Promise<AppliedEdge | undefined> {
    return this.edge.served();
  }

  async stop(): Promise<void> {
    await this.tunnel.stop();
    await this.edge.stop();
  }

  rendering(): Promise<Readonly<Record<string, unknown>>> {
    return this.edge.rendering();
  }

  /** Brings a tunnel that has died, or that never took the last table, to it. Answers whether that was needed. */
  async tend(): Promise<boolean> {
    const { last } = this;
    if (!last) return false;
    const wanted = tunnelledNames(last, this.baseDomain);
    const served = await this.tunnel.served().catch(() => undefined);
    if (served && served.hostnames.length === wanted.length && wanted.every((name) => served.hostnames.includes(name))) return false;
    await this.lead(last.revision, wanted);
    return true;
  }

  private async lead(revision: number, hostnames: readonly string[]): Promise<void> {
    this.confirmed = undefined;
    try {
      this.led = new Set((await this.tunnel.apply({ revision, hostnames })).hostnames);
      this.confirmed = hostnames;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      throw new TunnelTrouble(`The tunnel ${this.tunnel.id} could not be changed. ${error.message}`, error.retryable, { cause: error });
    }
  }
}

const areSame = (some: readonly string[] | undefined, others: readonly string[]): boolean => some?.join() === others.join();

/** The names that a tunnel has to know of a table; those below the base domain are one, where it is a domain that visitors can look up. */
export function tunnelledNames({ routes }: RouteTable, baseDomain: string): readonly string[] {
  const all = routes.flatMap(({ hostnames, redirects = [] }) => [...hostnames, ...redirects.map(({ hostname }) => hostname)]);
  const custom = all.filter((name) => !name.endsWith(`.${baseDomain}`));
  return [...new Set([...custom.sort(), ...(baseDomain.includes('.') ? [`*.${baseDomain}`] : [])])];
}
