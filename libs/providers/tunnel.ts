import { ProviderError } from './provider-error.js';

/** The edge does as it should, and the tunnel that leads visitors to it does not. */
export class TunnelTrouble extends ProviderError {}

/** The hostnames whose visitors a tunnel leads to this host's edge. The same table gives the same configuration. */
export interface TunnelTable {
  /** Log position up to which the table holds every route. */
  readonly revision: number;
  /** In lower case; `*.example.com` stands for every name right below example.com. */
  readonly hostnames: readonly string[];
}

/** What a tunnel has confirmed that it knows. */
export interface AppliedTunnel {
  readonly hostnames: readonly string[];
}

/**
 * Leads visitors from a vendor's network to this host's edge, without an open port.
 *
 * `apply` takes the whole table, puts the configuration that follows from it in place of the old one, and returns once the tunnel itself is confirmed to use it: after
 * it a hostname of the table is led to the edge, and every other one is answered with 404. Nothing is done for a table that is in use already, and of an older revision than
 * the one in use nothing is changed. Two calls at once are worked on one after the other. A configuration that does not come up is replaced by the last one that did, and
 * throws a ProviderError; one that could never come up is refused before anything is changed. After a crash, of this process or the tunnel's, half-way through, `start` and `apply`
 * bring it to the table. A configuration that somebody else has made is never replaced.
 */
export interface TunnelProvider {
  readonly name: string;
  /** UUID of the tunnel; a proxied CNAME to `<id>.cfargotunnel.com` leads to it. */
  readonly id: string;
  /** Brings it up with the table that it used last, if there is one. */
  start(): Promise<void>;
  apply(table: TunnelTable): Promise<AppliedTunnel>;
  /** What is in use right now, asked of the tunnel itself; undefined when it does not answer, or leads nobody here. */
  served(): Promise<AppliedTunnel | undefined>;
  /** Visitors are led here no longer, where the tunnel is ours to end. */
  stop(): Promise<void>;
}
