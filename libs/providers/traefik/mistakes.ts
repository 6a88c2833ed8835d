import type { TraefikDocument } from './document.js';

/** A name of somebody's in the document; with an @ it would be another provider's. A hostname has 253 characters at most, and nearly half of them may be hyphens, which are doubled in it. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,400}$/;
/** The matchers that are used: hosts joined by "or", perhaps for some paths or methods only. What Traefik cannot read it leaves out, and with it a site. */
const [HOST, PATH, METHOD] = ['Host\\(`[a-z0-9_.-]{1,253}`\\)', 'PathPrefix\\(`/[a-z/.-]*`\\)', '!Method\\(`[A-Z]+`\\)'];
const HOSTS = `${HOST}(?: \\|\\| ${HOST})*`;
const RULE = new RegExp(`^(?:${HOSTS}|${PATH}|(?:${PATH}|${METHOD}(?: && ${METHOD})*) && \\(${HOSTS}\\))$`);
const ENTRY_POINT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** What Traefik's schema lets through and Traefik then logs and leaves out: rules that cannot be read, services and middlewares that are not there, addresses that are none. One sentence each. */
export function mistakesOf({ http: { routers, services, middlewares, serversTransports = {} } }: TraefikDocument): string[] {
  const said: string[] = [];
  for (const [name, router] of Object.entries(routers)) {
    const say = (what: string): unknown => said.push(`the router ${JSON.stringify(name)} ${what}`);
    if (!NAME.test(name)) say('has a name that is none');
    if (!RULE.test(router.rule)) say(`has the rule ${JSON.stringify(router.rule).slice(0, 120)}, which cannot be read`);
    if (!router.service.endsWith('@internal') && !Object.hasOwn(services, router.service)) say(`leads to the service ${JSON.stringify(router.service)}, which is not there`);
    for (const used of router.middlewares ?? []) if (!Object.hasOwn(middlewares, used)) say(`uses the middleware ${JSON.stringify(used)}, which is not there`);
    if (router.entryPoints.length === 0 || !router.entryPoints.every((one) => ENTRY_POINT.test(one))) say(`has the entry points ${JSON.stringify(router.entryPoints)}`);
  }
  for (const [name, { loadBalancer }] of Object.entries(services)) {
    for (const { url } of loadBalancer.servers) if (!isAddress(url)) said.push(`the service ${JSON.stringify(name)} has the address ${JSON.stringify(url).slice(0, 120)}`);
    if (loadBalancer.servers.length === 0) said.push(`the service ${JSON.stringify(name)} has no address`);
    const { serversTransport } = loadBalancer;
    if (serversTransport !== undefined && !Object.hasOwn(serversTransports, serversTransport)) said.push(`the service ${JSON.stringify(name)} uses the transport ${JSON.stringify(serversTransport)}, which is not there`);
  }
  const used = new Set(Object.values(routers).flatMap((router) => [router.service, ...(router.middlewares ?? [])]));
  for (const name of [...Object.keys(services), ...Object.keys(middlewares)]) if (!used.has(name)) said.push(`${JSON.stringify(name)} is used by no router`);
  return said;
}

/** Scheme, host and port, and nothing else: a path would be put before every visitor's. */
function isAddress(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, pathname, search, hash, username } = new URL(url);
  return ['http:', 'https:'].includes(protocol) && hostname !== '' && pathname === '/' && !url.endsWith('/') && search + hash + username === '';
}
