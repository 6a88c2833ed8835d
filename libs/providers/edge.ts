import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';

/** Which hostnames lead to one site, and where it is reached. */
export interface EdgeRoute {
  readonly siteId: string;
  /** Lower-case hostnames without port; checked by the domain before they come here. */
  readonly hostnames: readonly string[];
  readonly target: Target;
  /** stopped: answers 503 with a page that says so. */
  readonly state: 'up' | 'stopped';
  /** Hostnames whose visitors are sent on, whatever the state. */
  readonly redirects?: readonly EdgeRedirect[];
  /** How the site's visitors are treated, on all its hostnames; left out: as everybody's. */
  readonly rules?: EdgeRules;
}

/** A hostname that answers every request with a redirect to another one: same scheme, port, path and query. */
export interface EdgeRedirect {
  readonly hostname: string;
  readonly to: string;
  /** 301, or 308 that keeps method and body. */
  readonly status: number;
}

/** The hostnames that a certificate is served for, by its id in the edge's own store. `*.example.com` stands for each name with one more label. */
export interface EdgeCertificate {
  readonly certificateId: string;
  readonly hostnames: readonly string[];
}

/** Everything that a host's edge serves. The same table gives the same bytes. */
export interface RouteTable {
  /** Log position up to which the table holds every route. */
  readonly revision: number;
  readonly routes: readonly EdgeRoute[];
  /** Hostnames without one are served with a certificate that the edge has signed itself. */
  readonly certificates?: readonly EdgeCertificate[];
}

/** A certificate with what it takes to serve it, both as PEM. */
export interface ServerCertificate {
  /** The certificate first, then those that lead to a root. */
  readonly chain: string;
  readonly key: string;
}

/**
 * The certificates that an edge keeps, with their keys. What was `put` is there after any death, whole; only the edge itself and its operator can read it. Put again under
 * the same id with the same key, it is what the next handshake gets, without a new table and without a connection that fails. `remove` leaves nothing of it; what is not there is gone.
 */
export interface EdgeCertificates {
  put(certificateId: string, certificate: ServerCertificate): Promise<void>;
  remove(certificateId: string): Promise<void>;
  /** Hex sha256 of each certificate that is kept with its key, and can be read, by its id: as it is now, whoever changed it. */
  held(): Promise<ReadonlyMap<string, string>>;
}

/**
 * Proofs for certificate authorities (RFC 8555, 8.3): what the edge answers under `/.well-known/acme-challenge/<token>`, for every host name and on both ports, before any
 * site is asked; other tokens are the site's. They are served at once, without a new table, and after any death. `ensure` replaces what there was under the same id.
 */
export interface EdgeProofs {
  ensure(certificateId: string, texts: ReadonlyMap<string, string>): Promise<void>;
}

/** What an edge has confirmed that it serves. */
export interface AppliedEdge {
  readonly revision: number;
  /** Hex sha256 of the config that serves. */
  readonly configHash: string;
  /** UUID of the tunnel that leads its visitors here and was confirmed to know the same hostnames. */
  readonly tunnel?: string;
}

/** What not every edge can. */
export interface EdgeFeatures {
  /** Takes visitors from a balancer that speaks the PROXY protocol. */
  readonly proxyProtocol: boolean;
}

/**
 * What receives visitors on a host and sends them to sites.
 *
 * `apply` takes the whole table, checks it, puts it in place of the old one and returns once the new one is confirmed to serve; a table
 * that is refused leaves the old one serving and throws a ProviderError. An older revision than the served one is answered with the
 * served one, and changes nothing. Two calls at once are worked on one after the other. After a restart the last applied table serves again.
 * A redirect keeps path and query. An unknown host answers 404; a target that does not answer, 502. Visitors' X-Forwarded-For, -Proto and -Host are set, never trusted. Websockets pass.
 * A site's rules are carried out on all its hostnames, before anything of the site is shown. Who a visitor is may be said by a proxy that is trusted, and nobody else.
 */
export interface EdgeProvider {
  readonly name: string;
  readonly features: EdgeFeatures;
  readonly certificates: EdgeCertificates;
  readonly proofs: EdgeProofs;
  /** Brings the edge up with the last applied table, or an empty one. */
  start(): Promise<void>;
  apply(table: RouteTable): Promise<AppliedEdge>;
  /** What is confirmed to serve right now, asked of the edge itself; undefined when it does not answer. */
  served(): Promise<AppliedEdge | undefined>;
  /** What its configuration is rendered from besides the table, as JSON can hold it: with both, the same bytes can be rendered elsewhere and later. */
  rendering(): Promise<Readonly<Record<string, unknown>>>;
  /** Stops it; visitors are no longer served. */
  stop(): Promise<void>;
}
