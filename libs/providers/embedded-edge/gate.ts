import { STATUS_CODES, type IncomingMessage } from 'node:http';
import { compare } from 'bcryptjs';
import { pages, type EdgePage } from '../edge/pages.js';
import { Ranges } from '../edge/proxies.js';
import { REALM, type Access, type SiteRules } from '../edge/site-rules.js';
import { escaped } from './answers.js';
import type { Visitor } from './forwarded.js';

/** An answer in place of the site. */
export interface Turned {
  readonly page: EdgePage;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a site's rules say to a visitor before anything of the site is shown; undefined: come in. A redirecting hostname only asks for HTTPS. */
export async function turnedAway(request: IncomingMessage, visitor: Visitor, hostname: string, rules: SiteRules, isRedirect: boolean, httpsPort: number): Promise<Turned | undefined> {
  if (rules.httpsOnly && visitor.scheme === 'http') {
    const port = visitor.isViaProxy || httpsPort === 443 ? '' : `:${httpsPort}`;
    return { page: plain(308), headers: { Location: `https://${hostname}${port}${escaped(request.url ?? '/')}` } };
  }
  if (isRedirect) return undefined;
  if (rules.maintenance) return { page: { status: 503, html: rules.maintenance.html }, headers: { 'Retry-After': String(rules.maintenance.retryAfterSeconds) } };
  if (rules.access && !isAllowed(rules.access, visitor.address)) return { page: pages.denied, headers: {} };
  if (rules.users.length > 0 && !(await isUser(rules.users, request.headers.authorization))) return { page: plain(401), headers: { 'WWW-Authenticate': `Basic realm="${REALM}"` } };
  return undefined;
}

const plain = (status: number): EdgePage => ({ status, html: `${status} ${STATUS_CODES[status]}\n` });

const known = new WeakMap<Access, Ranges>();

/** The ranges are narrowest first. */
function isAllowed(access: Access, address: string): boolean {
  let ranges = known.get(access);
  if (!ranges) known.set(access, (ranges = new Ranges(access.ranges.map(({ range }) => range))));
  return access.ranges[ranges.firstThatHolds(address)]?.isAllowed ?? access.allowsOthers;
}

async function isUser(users: SiteRules['users'], authorization: string | undefined): Promise<boolean> {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,1000}) *$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return false;
  const [, name, password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  const user = users.find((one) => one.name === name);
  return user !== undefined && compare(password, user.passwordHash);
}
