import { parse, stringify } from 'yaml';
import { ProviderError } from '../provider-error.js';
import type { TunnelTable } from '../tunnel.js';

/** Where a tunnel leads its visitors, and how patiently. */
export interface TunnelOrigin {
  /** Scheme and address of the edge, for example http://127.0.0.1:8080: without a path, which cloudflared refuses. */
  readonly service: string;
  readonly connectTimeoutSeconds: number;
}

export interface IngressRule {
  readonly hostname?: string;
  readonly service: string;
}

/** What cloudflared reads from its own file, beside the rules. */
export interface LocalTunnel extends TunnelOrigin {
  readonly id: string;
  readonly credentialsFile: string;
  /** Where it tells how it is, `<address>:<port>`. */
  readonly metrics: string;
}

/** The rule that fits what no other one does; cloudflared wants it last. */
const CATCH_ALL: IngressRule = { service: 'http_status:404' };
/** Labels of 63 characters at most, 253 in all (RFC 1035); the first one may be a star. */
const HOSTNAME = /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const HEADER = '# Kept by Hostplane, which writes it anew whenever a hostname comes or goes.\n';

/** The rules of a table: exact names before those with a star, each in the order of the alphabet, the catch-all last. Refuses what is no hostname. */
export function ingressOf({ hostnames }: TunnelTable, { service }: TunnelOrigin): readonly IngressRule[] {
  const wrong = hostnames.find((hostname) => !HOSTNAME.test(hostname));
  if (wrong !== undefined) throw new ProviderError(`${JSON.stringify(wrong).slice(0, 120)} is not a hostname in lower case: the tunnel keeps what it had.`, false);
  const isStar = (hostname: string): boolean => hostname.startsWith('*');
  const sorted = [...new Set(hostnames)].sort((a, b) => Number(isStar(a)) - Number(isStar(b)) || (a < b ? -1 : 1));
  return [...sorted.map((hostname) => ({ hostname, service: checkedOrigin(service) })), CATCH_ALL];
}

/** The names that rules lead to a service; those that somebody else has made are not ours. */
export function hostnamesOf(rules: readonly IngressRule[], { service }: Pick<TunnelOrigin, 'service'>): readonly string[] {
  return rules.flatMap((rule) => (rule.hostname !== undefined && rule.hostname !== '' && rule.service === service ? [rule.hostname] : []));
}

export function areSameRules(a: readonly IngressRule[], b: readonly IngressRule[]): boolean {
  const shown = (rules: readonly IngressRule[]): string => JSON.stringify(rules.map(({ hostname = '', service }) => [hostname, service]));
  return shown(a) === shown(b);
}

/** cloudflared's config.yml: its durations have a unit there. */
export function renderFile(table: TunnelTable, tunnel: LocalTunnel): string {
  const { id, credentialsFile, metrics, connectTimeoutSeconds } = tunnel;
  const config = { tunnel: id, 'credentials-file': credentialsFile, metrics, 'no-autoupdate': true, originRequest: { connectTimeout: `${connectTimeoutSeconds}s` }, ingress: ingressOf(table, tunnel) };
  return HEADER + stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The body of a remotely managed configuration: durations are whole seconds there. */
export function remoteConfigOf(table: TunnelTable, service: TunnelOrigin): { readonly ingress: readonly IngressRule[]; readonly originRequest: { readonly connectTimeout: number } } {
  return { ingress: ingressOf(table, service), originRequest: { connectTimeout: service.connectTimeoutSeconds } };
}

/** Whether a config.yml is one that renderFile has written. */
export const isOurFile = (text: string): boolean => text.startsWith(HEADER);

/** The rules of a config.yml that renderFile has written. */
export function rulesOfFile(text: string): readonly IngressRule[] {
  return (parse(text) as { ingress?: readonly IngressRule[] } | null)?.ingress ?? [];
}

function checkedOrigin(service: string): string {
  const url = URL.canParse(service) ? new URL(service) : undefined;
  const isPlain = url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.host !== '' && !service.slice(url.protocol.length + 2).includes('/') && url.search === '' && url.hash === '' && url.username === '';
  if (!isPlain) throw new ProviderError(`"${service.slice(0, 120)}" is no service that a tunnel can lead to: a scheme and an address without a path are needed, for example http://127.0.0.1:8080.`, false);
  return service;
}
