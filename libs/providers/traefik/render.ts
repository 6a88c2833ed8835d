import type { RouteTable } from '../edge.js';
import { PROOF_PATH } from '../edge/proof-files.js';
import { hashOf, placesOf, type Place, type Places } from '../edge/route-table.js';
import { VERSION_HOST } from '../edge/served-version.js';
import { REALM, type SiteRules } from '../edge/site-rules.js';
import { ProviderError } from '../provider-error.js';
import type { Middleware, Router, TraefikDocument } from './document.js';
import { mistakesOf } from './mistakes.js';

/** What a document says besides the routes. */
export interface TraefikSettings {
  readonly planeId: string;
  /** Where Traefik reaches the host's own edge, which serves what Traefik cannot. */
  readonly edgeUrl: string;
  /** Names of Traefik's entry points for HTTP and HTTPS. */
  readonly http: string;
  readonly https: string;
  /** Who gets certificates, in Traefik's own configuration; without it, its default certificate is shown. */
  readonly certResolver?: string;
  /**
   * Whether containers are reached straight away. Traefik learns of a change only when it asks or reads again, and until then may send a visitor to an address that is another
   * site by now; an address is kept from others only until the edge lets go of it. Otherwise the edge, which knows at once, stands in between.
   */
  readonly isDirect: boolean;
}

export interface RenderedDocument {
  /** JSON, and so YAML too: the same bytes for the file provider and the HTTP provider. */
  readonly text: string;
  /** Hex sha256 over everything but the version itself. */
  readonly configHash: string;
}

const EDGE = 'hostplane-edge';
const VERSION = 'hostplane-version';
const TO_HTTPS = 'hostplane-https';
const PROOFS = 'hostplane-proofs';
const CLAIMS = 'hostplane-claims';
const WRITES = 'hostplane-writes';
/** A service of Traefik's own that answers 418. */
const NO_SERVICE = 'noop@internal';
/** Below every router whose priority is the length of its rule. */
const LAST = 1;
/**
 * What Traefik does not send again when a connection that it kept ends under it, as some do whenever nginx takes on new routes: each gets a connection of its own. (Measured: 14 of 21,747 uploads failed over 20 changes,
 * and none with it.) Not all requests do, for a connection costs half of what the edge can serve, and a port for a minute.
 */
const UNREPEATABLE = '!Method(`GET`) && !Method(`HEAD`) && !Method(`OPTIONS`)';
/** What a visitor may claim of itself, and of the way it came, that Traefik would pass on; of what it knows itself it tells the truth. */
const CLAIMED = ['CF-Connecting-IP', 'Forwarded', 'Proxy', 'True-Client-IP'];

/**
 * The whole dynamic configuration of Traefik: the same table and settings give the same bytes. Traefik redirects, and sends all others on to the host's edge, which has the same table; when told so, it sends
 * visitors of containers there itself where it can carry out the rules, and only the rest (of files, of stopped sites, of names that no site has) to the edge.
 */
export function renderTraefik(table: RouteTable, settings: TraefikSettings): RenderedDocument {
  const places = placesOf(table);
  const { routers, services, ...transports } = toEdge(places.map(({ hostname }) => hostname), settings);
  const middlewares: Record<string, Middleware> = {};
  for (const { place, hostnames } of groupsOf(places)) {
    const isOurs = isCarriedOut(place, settings.isDirect);
    const name = nameOf(hostnames[0]!);
    const own = isOurs ? middlewaresOf(place, name) : {};
    Object.assign(middlewares, own);
    if (isOurs && place.rules?.httpsOnly) middlewares[TO_HTTPS] = { redirectScheme: { scheme: 'https', permanent: true } };
    if (isOurs && place.kind === 'container') services[name] = serviceAt(`http://${place.address}:${place.port}`);
    // A redirect that Traefik's pattern does not fit is the edge's to answer.
    const router = { rule: anyOf(hostnames), service: isOurs && place.kind === 'container' ? name : EDGE };
    // Who came by HTTPS to a proxy before Traefik is let through by the first, and then has to pass the others.
    const toHttps = isOurs && place.rules?.httpsOnly ? [TO_HTTPS] : [];
    Object.assign(routers, routersOf(name, router, { plain: [...toHttps, ...Object.keys(own)], secure: Object.keys(own) }, settings, hostnames));
  }
  return finished({ http: { routers, services, middlewares, ...transports } }, table.revision, settings);
}

/** Leads to the edge whatever no other router takes; and of the sites' hosts what the sites' own routers must not take, by a rule that is longer than theirs. Other hosts may be somebody else's. */
function toEdge(hostnames: readonly string[], settings: TraefikSettings): Omit<TraefikDocument['http'], 'middlewares'> {
  const [services, rest] = [{ [EDGE]: serviceAt(settings.edgeUrl) }, routersOf(EDGE, { rule: 'PathPrefix(`/`)', service: EDGE, priority: LAST }, NONE, settings)];
  if (hostnames.length === 0) return { routers: rest, services };
  if (settings.isDirect) return { routers: { ...rest, ...routersOf(PROOFS, { rule: `PathPrefix(\`${PROOF_PATH}\`) && (${anyOf(hostnames)})`, service: EDGE }, NONE, settings) }, services };
  return {
    routers: { ...rest, ...routersOf(WRITES, { rule: `${UNREPEATABLE} && (${anyOf(hostnames)})`, service: WRITES }, NONE, settings) },
    services: { ...services, [WRITES]: serviceAt(settings.edgeUrl, WRITES) },
    serversTransports: { [WRITES]: { maxIdleConnsPerHost: -1 } },
  };
}

const anyOf = (hostnames: readonly string[]): string => hostnames.map((hostname) => `Host(\`${hostname}\`)`).join(' || ');

/** Tells its version to whoever asks for the version's host, in headers; a router of its own is the only place that Traefik has for it, and keeps them from the edge's. */
function finished(document: TraefikDocument, revision: number, settings: TraefikSettings): RenderedDocument {
  const { planeId } = settings;
  const configHash = hashOf({ document: JSON.stringify(document), planeId, revision: String(revision) });
  document.http.middlewares[VERSION] = { headers: { customResponseHeaders: { 'X-Hostplane-Edge': planeId, 'X-Hostplane-Revision': String(revision), 'X-Hostplane-Hash': configHash } } };
  Object.assign(document.http.routers, routersOf(VERSION, { rule: `Host(\`${VERSION_HOST}\`)`, service: NO_SERVICE }, { plain: [VERSION], secure: [VERSION] }, settings));
  const mistakes = mistakesOf(document);
  if (mistakes.length > 0) throw new ProviderError(`Traefik could not carry this out: ${mistakes.slice(0, 5).join('; ')}.`, false);
  return { text: `${JSON.stringify(document, null, 2)}\n`, configHash };
}

/** Hostnames that lead to the same place by the same rules, in the order of their first. */
function groupsOf(places: Places): { readonly place: Place; readonly hostnames: string[] }[] {
  const groups = new Map<string, { place: Place; hostnames: string[] }>();
  const known = new Map<SiteRules | undefined, number>();
  for (const { hostname, place } of places) {
    if (!known.has(place.rules)) known.set(place.rules, known.size);
    const key = JSON.stringify({ ...place, rules: known.get(place.rules) });
    const group = groups.get(key);
    if (group) group.hostnames.push(hostname);
    else groups.set(key, { place, hostnames: [hostname] });
  }
  return [...groups.values()];
}

/** Names what belongs to a hostname: two that differ have names that do (no label begins or ends with a hyphen), and a name has no dot. */
function nameOf(hostname: string): string {
  return `site-${hostname.replace(/[_.-]/g, (sign) => (sign === '.' ? '-' : sign === '-' ? '--' : '_'))}`;
}

/**
 * Traefik checks sizes only by holding the whole body back, has no time-outs of single sites, no list of who may not come in, no pages of its own, and one kind of lasting redirect. Behind a proxy of
 * its own it would look for that one's address among those that may come in; and it does not tell browsers to forget HTTPS.
 */
function isCarriedOut({ rules, ...place }: Place, isDirect: boolean): boolean {
  const isSaid = rules?.hsts === undefined || !/^max-age=0+(;|$)/.test(rules.hsts);
  if (place.kind !== 'container') return isSaid && place.kind === 'redirect' && place.status === 301;
  if (!isDirect || !rules) return isDirect;
  const { maxBodyBytes, targetTimeoutMs, access, maintenance, pages } = rules;
  return isSaid && [maxBodyBytes, targetTimeoutMs, access, maintenance].every((rule) => rule === undefined) && Object.keys(pages).length === 0;
}

/** By name, in the order in which a request passes them. */
function middlewaresOf(place: Place, name: string): Record<string, Middleware> {
  const { rules } = place;
  const used: Record<string, Middleware> = {};
  if (rules?.hsts !== undefined) used[`hsts-${name}`] = { headers: hstsOf(rules.hsts) };
  if (place.kind === 'redirect') used[`to-${name}`] = { redirectRegex: { regex: '^(https?)://[^/:]+(:[0-9]+)?/(.*)$', replacement: `\${1}://${place.to}\${2}/\${3}`, permanent: true } };
  if (place.kind !== 'container') return used;
  used[CLAIMS] = { headers: { customRequestHeaders: Object.fromEntries(CLAIMED.map((name) => [name, ''])) } };
  if (rules && rules.users.length > 0) used[`users-${name}`] = { basicAuth: { users: rules.users.map((user) => `${user.name}:${user.passwordHash}`), realm: REALM, removeHeader: true } };
  return used;
}

/** Traefik says it over HTTPS alone. */
function hstsOf(header: string): { stsSeconds: number; stsIncludeSubdomains: boolean; stsPreload: boolean } {
  return { stsSeconds: Number(/^max-age=(\d+)/.exec(header)![1]), stsIncludeSubdomains: header.includes('includeSubDomains'), stsPreload: header.includes('preload') };
}

const serviceAt = (url: string, serversTransport?: string) => ({ loadBalancer: { servers: [{ url }], passHostHeader: true, ...(serversTransport ? { serversTransport } : {}) } });

interface Passed {
  readonly plain: readonly string[];
  readonly secure: readonly string[];
}

const NONE: Passed = { plain: [], secure: [] };

/** One router for each entry point: Traefik's routers speak either HTTP or HTTPS. */
function routersOf(name: string, router: Pick<Router, 'rule' | 'service' | 'priority'>, { plain, secure }: Passed, { http, https, certResolver }: TraefikSettings, hostnames: readonly string[] = []): Record<string, Router> {
  const through = (middlewares: readonly string[]) => (middlewares.length > 0 ? { middlewares } : {});
  return {
    [name]: { entryPoints: [http], ...router, ...through(plain) },
    [`tls-${name}`]: { entryPoints: [https], ...router, ...through(secure), tls: tlsOf(hostnames, certResolver) },
  };
}

/** A certificate for each hostname: one for all of them would be nobody's as long as one is not to be had, and stopped sites of several owners share a router. No authority vouches for localhost. */
function tlsOf(hostnames: readonly string[], certResolver: string | undefined): Router['tls'] & object {
  const domains = hostnames.filter((hostname) => !/(^|\.)localhost$/.test(hostname)).map((main) => ({ main }));
  return certResolver === undefined || domains.length === 0 ? {} : { certResolver, domains };
}
