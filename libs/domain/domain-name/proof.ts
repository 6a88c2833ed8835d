import type { DnsFinding, DnsRecord } from '#contracts/gen/hostplane/v1/domain.js';
import type { CheckResult } from './domain-name.js';

/** Where "here" is. */
export interface Place {
  /** Addresses of the server that visitors reach. */
  readonly addresses: readonly string[];
  /** The site's own hostname, which a CNAME may name. */
  readonly siteHostname: string;
  /** The tunnel that visitors come through, if there is one: nothing else leads here then. It works only behind its vendor's proxy. */
  readonly tunnelHostname?: string;
  /** Whether an address is one of the server's, however it is written. */
  isOurs(address: string): boolean;
  /** Whether an address belongs to a proxy that may stand before us. */
  isProxy(address: string): boolean;
}

/** The label below a domain at which its owner proves that it is theirs. */
export const challengeName = (name: string): string => `_hostplane-challenge.${name}`;

/** What the log keeps of a finding: enough to see what is wrong, whatever somebody writes into their zone. */
const MOST_VALUES = 20;
const LONGEST_VALUE = 300;
/** And so much of it in a sentence. */
const [MOST_SHOWN, LONGEST_SHOWN] = [4, 200];

/**
 * The records that prove a domain: ownership by a token, and one of those that lead visitors here. A CNAME cannot stand at a zone's top, but for that
 * of a tunnel: whoever keeps the zone answers with addresses in its place.
 */
export function expectedRecords(name: string, challenge: string, place: Place, isZoneTop: boolean): DnsRecord[] {
  const pointing = (type: string, value: string, proxied = false): DnsRecord => ({ purpose: 'pointing', type, name, value, proxied });
  const ownership = { purpose: 'ownership', type: 'TXT', name: challengeName(name), value: challenge, proxied: false };
  if (place.tunnelHostname !== undefined) return [ownership, pointing('CNAME', place.tunnelHostname, true)];
  return [
    ownership,
    ...place.addresses.map((address) => pointing(address.includes(':') ? 'AAAA' : 'A', address)),
    ...(isZoneTop ? [] : [pointing('CNAME', place.siteHostname)]),
  ];
}

/** Those of the expected records that the plane itself sets: ownership first, then addresses where it has any, or else the alias. */
export function managedRecords(expected: readonly DnsRecord[], proxied: boolean): DnsRecord[] {
  const addresses = expected.filter(({ purpose, type }) => purpose === 'pointing' && type !== 'CNAME');
  const pointing = addresses.length > 0 ? addresses : expected.filter(({ purpose }) => purpose === 'pointing');
  return [...expected.filter(({ purpose }) => purpose === 'ownership'), ...pointing.map((one) => ({ ...one, proxied: one.proxied || proxied }))];
}

/**
 * Judges what was found. A proof counts when more than half of the resolvers show it. Every address has to lead here, or every one to the proxy:
 * a name that leads elsewhere too would lose some of its visitors. That it leads to the proxy proves nothing about its owner, so the token is always asked for.
 */
export function judge(name: string, challenge: string, expected: readonly DnsRecord[], findings: readonly DnsFinding[], place: Place): CheckResult {
  const resolvers = [...new Set(findings.map(({ resolver }) => resolver))];
  const needed = Math.floor(resolvers.length / 2) + 1;
  const of = (resolver: string, types: readonly string[], at: string) => findings.filter((one) => one.resolver === resolver && one.name === at && types.includes(one.type)).flatMap(({ values }) => values);
  const owned = resolvers.filter((resolver) => of(resolver, ['TXT'], challengeName(name)).includes(challenge));
  const pointing = resolvers.filter((resolver) => leadsHere(of(resolver, ['A', 'AAAA'], name), of(resolver, ['CNAME'], name), place));
  const [isOwned, pointsHere] = [owned.length >= needed, pointing.length >= needed];
  const seen = (count: number) => (count > 0 ? ` (${count} of ${resolvers.length} resolvers show it, ${needed} have to)` : '');
  const found = [...new Set(resolvers.flatMap((resolver) => of(resolver, ['A', 'AAAA', 'CNAME'], name)))];
  const strays = [...new Set(resolvers.flatMap((resolver) => straysOf(of(resolver, ['A', 'AAAA'], name), place)))];
  const missing = [
    ...(isOwned ? [] : [`The TXT record ${challengeName(name)} with the value ${challenge} is not there yet${seen(owned.length)}.`]),
    ...(pointsHere ? [] : [`${name} ${whereItLeads(found, strays, wanted(expected))}${seen(pointing.length)}.`]),
    ...silence(findings),
  ];
  return { isOwned, pointsHere, expected, found: findings.map(shortened), missing: isOwned && pointsHere ? '' : missing.join(' ') };
}

function leadsHere(addresses: readonly string[], aliases: readonly string[], place: Place): boolean {
  if (aliases.includes(place.tunnelHostname ?? place.siteHostname)) return true;
  return addresses.length > 0 && ((place.tunnelHostname === undefined && addresses.every((address) => place.isOurs(address))) || addresses.every((address) => place.isProxy(address)));
}

/** Addresses that lead elsewhere, beside some that lead here. */
function straysOf(addresses: readonly string[], place: Place): readonly string[] {
  const strays = addresses.filter((address) => !place.isOurs(address));
  return place.tunnelHostname === undefined && strays.length < addresses.length ? strays : [];
}

function whereItLeads(found: readonly string[], strays: readonly string[], target: string): string {
  const shown = (values: readonly string[]) => values.slice(0, MOST_SHOWN).join(', ').slice(0, LONGEST_SHOWN);
  if (strays.length > 0) return `leads to ${shown(strays)} too, where some of its visitors would get lost: it has to lead to ${target} alone`;
  return `${found.length > 0 ? `leads to ${shown(found)}` : 'leads nowhere yet'}, it has to lead to ${target}`;
}

function wanted(expected: readonly DnsRecord[]): string {
  return expected.flatMap(({ purpose, value }) => (purpose === 'pointing' ? [value] : [])).join(' or ') || 'this server';
}

function silence(findings: readonly DnsFinding[]): string[] {
  const silent = [...new Set(findings.flatMap(({ resolver, error }) => (error === '' ? [] : [`${resolver}: ${error}`])))];
  return silent.length > 0 ? [`Without an answer: ${silent.join(', ')}.`] : [];
}

function shortened(finding: DnsFinding): DnsFinding {
  return { ...finding, values: finding.values.slice(0, MOST_VALUES).map((value) => value.slice(0, LONGEST_VALUE)) };
}
