import type { RouteTable } from '../edge.js';
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
/** A service of Traefik's own, for routers whose middlewares answer. */
const NO_SERVICE = 'noop@internal';
/** Below every router whose priority is the length of its rule. */
const LAST = 1;

/**
 * The whole dynamic configuration of Traefik: the same table and settings give the same bytes. Traefik redirects, and sends all others on to the host's edge, which has the same table; when told so, it sends
 * visitors of containers there itself where it can carry out the rules, and only the rest (of files, of stopped sites, of names that no site has) to the edge.
 */
export function renderTraefik(table: RouteTable, settings: TraefikSettings): RenderedDocument {
  const { routers, services, middlewares }: TraefikDocument['http'] = { routers: {}, services: {}, middlewares: {} };
  services[EDGE] = serviceAt(settings.edgeUrl);
  for (const { place, hostnames } of groupsOf(placesOf(table))) {
    const isOurs = isCarriedOut(place, settings.isDirect);
    const name = nameOf(hostnames[0]!);
    const own = isOurs ? middlewaresOf(place, name) : {};
    Object.assign(middlewares, own);
    if (isOurs && place.rules?.httpsOnly) middlewares[TO_HTTPS] = { redirectScheme: { scheme: 'https', permanent: true } };
    if (isOurs && place.kind === 'container') services[name] = serviceAt(`http://${place.address}:${place.port}`);
    const service = !isOurs ? EDGE : place.kind === 'redirect' ? NO_SERVICE : name;
    const router = { rule: hostnames.map((hostname) => `Host(\`${hostname}\`)`).join(' || '), service };
    const isHttpsOnly = isOurs && place.rules?.httpsOnly === true;
    Object.assign(routers, routersOf(name, router, { plain: isHttpsOnly ? [TO_HTTPS] : Object.keys(own), secure: Object.keys(own) }, settings));
  }
  Object.assign(routers, routersOf(EDGE, { rule: 'PathPrefix(`/`)', service: EDGE, priority: LAST }, { plain: [], secure: [] }, settings));
  return finished({ http: { routers, services, middlewares } }, table.revision, settings);
}

/** Tells its version to whoever asks for the version's host, in headers; a router of its own is the only place that Traefik has for it. */
function finished(document: TraefikDocument, revision: number, { planeId, http }: TraefikSettings): RenderedDocument {
  const configHash = hashOf({ document: JSON.stringify(document), planeId, revision: String(revision) });
  document.http.middlewares[VERSION] = { headers: { customResponseHeaders: { 'X-Hostplane-Edge': planeId, 'X-Hostplane-Revision': String(revision), 'X-Hostplane-Hash': configHash } } };
  document.http.routers[VERSION] = { entryPoints: [http], rule: `Host(\`${VERSION_HOST}\`)`, service: NO_SERVICE, middlewares: [VERSION] };
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

/** Traefik checks sizes only by holding the whole body back, has no time-outs of single sites, no list of who may not come in, no pages of its own, and one kind of lasting redirect. */
function isCarriedOut({ rules, ...place }: Place, isDirect: boolean): boolean {
  if (place.kind !== 'container') return place.kind === 'redirect' && place.status === 301;
  if (!isDirect || !rules) return isDirect;
  const { maxBodyBytes, targetTimeoutMs, access, maintenance, pages } = rules;
  return maxBodyBytes === undefined && targetTimeoutMs === undefined && maintenance === undefined && Object.keys(pages).length === 0 && (access?.ranges.every(({ isAllowed }) => isAllowed) ?? true);
}

/** By name, in the order in which a request passes them. */
function middlewaresOf(place: Place, name: string): Record<string, Middleware> {
  const { rules } = place;
  const used: Record<string, Middleware> = {};
  if (rules?.hsts !== undefined) used[`hsts-${name}`] = { headers: hstsOf(rules.hsts) };
  if (place.kind === 'redirect') used[`to-${name}`] = { redirectRegex: { regex: '^(https?)://[^/:]+(:[0-9]+)?/(.*)$', replacement: `\${1}://${place.to}\${2}/\${3}`, permanent: true } };
  if (place.kind !== 'container') return used;
  if (rules?.access) used[`access-${name}`] = { ipAllowList: { sourceRange: rules.access.ranges.map(({ range }) => range) } };
  if (rules && rules.users.length > 0) used[`users-${name}`] = { basicAuth: { users: rules.users.map((user) => `${user.name}:${user.passwordHash}`), realm: REALM, removeHeader: true } };
  return used;
}

/** Traefik says it over HTTPS alone. */
function hstsOf(header: string): { stsSeconds: number; stsIncludeSubdomains: boolean; stsPreload: boolean } {
  return { stsSeconds: Number(/^max-age=(\d+)/.exec(header)![1]), stsIncludeSubdomains: header.includes('includeSubDomains'), stsPreload: header.includes('preload') };
}

const serviceAt = (url: string) => ({ loadBalancer: { servers: [{ url }], passHostHeader: true } });

interface Passed {
  readonly plain: readonly string[];
  readonly secure: readonly string[];
}

/** One router for each entry point: Traefik's routers speak either HTTP or HTTPS. */
function routersOf(name: string, router: Pick<Router, 'rule' | 'service' | 'priority'>, { plain, secure }: Passed, { http, https, certResolver }: TraefikSettings): Record<string, Router> {
  const through = (middlewares: readonly string[]) => (middlewares.length > 0 ? { middlewares } : {});
  return {
    [name]: { entryPoints: [http], ...router, ...through(plain) },
    [`tls-${name}`]: { entryPoints: [https], ...router, ...through(secure), tls: certResolver === undefined ? {} : { certResolver } },
  };
}
