import { isIP } from 'node:net';
import { resolve } from 'node:path';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** Kinds of values in the environment, each with the sentence that says what is allowed. Defaults are added where they are used. */

export const port = () => wholeNumber(1, 65_535, 'a port is a whole number from 1 to 65535.');

export const wholeNumber = (least: number, most: number, allowed = `a whole number from ${least} to ${most} is allowed.`) =>
  text(allowed, (value) => /^\d{1,15}$/.test(value) && Number(value) >= least && Number(value) <= most).transform(Number);

/** A range of ports such as 20000-29999, as its first and last. */
export const portRange = () =>
  text('a range of ports is needed, for example 20000-29999.', (value) => {
    const [first, last] = portsOf(value);
    return /^\d{1,5}-\d{1,5}$/.test(value) && first >= 1 && last <= 65_535 && first <= last;
  }).transform((value) => ({ first: portsOf(value)[0], last: portsOf(value)[1] }));

/** A size such as 1048576, 512K, 100M or 2G (powers of 1024), in bytes. */
export const bytes = () =>
  text('a size is a whole number of bytes, with K, M or G for powers of 1024, for example 100M.', (value) => sizeOf(value) > 0).transform(sizeOf);

export const url = (...schemes: readonly string[]) =>
  text(`an address that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')} is needed.`, (value) => {
    return URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1));
  });

/** A number of another kind, or `unlimited`, which is read as null. */
export const unlimitedOr = (field: z.ZodType<number, string>) =>
  z.string().transform((value, context): number | null => {
    if (value === 'unlimited') return null;
    const read = field.safeParse(value);
    if (read.success) return read.data;
    context.addIssue({ code: 'custom', message: `${read.error.issues[0]?.message.replace(/\.$/, '') ?? ''}; or unlimited.` });
    return z.NEVER;
  });

/** An IPv4 range whose address is the range's first, for example 10.77.0.0/16. */
export const cidr = (longestPrefix = 32) =>
  text(`an IPv4 range is needed, its first address and a prefix of at most ${longestPrefix}, for example 10.77.0.0/16.`, (value) => {
    if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(value)) return false;
    return ipaddr.IPv4.parseCIDR(value)[1] <= longestPrefix && firstOf(value) === value.split('/')[0];
  });

/** Names a machine; part of bus subjects, so neither dots nor spaces. */
export const hostId = () => text('a host id has 1 to 32 of a-z, 0-9 and -, and begins with a letter or digit.', (value) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(value));

export const baseDomain = () =>
  text('a domain in lower case is needed, without port and dot at its end, for example localhost or sites.example.com.', (value) => {
    return value.length <= 180 && value.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  });

/** An IP address to listen on. */
export const bindAddress = () => text('an IP address to listen on is needed, for example 127.0.0.1.', (value) => isIP(value) !== 0);

/** IP addresses with commas between them. */
export const addresses = () => list('IP addresses with commas between them are needed, for example 203.0.113.7,2001:db8::7.', (one) => isIP(one) !== 0);

/** Name servers with commas between them, each an IP address, with a port if it is not 53. */
export const resolvers = () =>
  list('IP addresses of resolvers with commas between them are needed, for example 192.0.2.53,[2001:db8::53]:5353.', (one) => {
    if (isIP(one) !== 0) return true;
    const [, address = '', port = ''] = /^(?:\[(?=.*:.*\]))?([0-9a-fA-F.:]+?)\]?:(\d{1,5})$/.exec(one) ?? [];
    return isIP(address) === (one.startsWith('[') ? 6 : 4) && Number(port) >= 1 && Number(port) <= 65_535;
  });

/** Domain names with commas between them. */
export const domainNames = () => list('domain names in lower case with commas between them are needed, for example example.com,example.org.', isDomainName);

/** A name in a zone that a project may use, with all names below it. */
export interface DnsGrant {
  readonly name: string;
  readonly projectId: string;
}

/** Grants with commas between them, each `<name>=<project id>`. */
export const dnsGrants = () =>
  list('names and ids of projects are needed, for example shop.example.com=3f0c…,example.org=9b1d….', (one) => isDomainName(one.split('=')[0]!) && /^[^=]+=[0-9a-f-]{36}$/.test(one)).transform((grants): DnsGrant[] => grants.map((one) => {
    const [name = '', projectId = ''] = one.split('=');
    return { name, projectId };
  }));

const isDomainName = (value: string): boolean => value.length <= 253 && value.includes('.') && value.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));

/** Ranges of IPv4 and IPv6 with commas between them. */
export const ranges = () => list('IP ranges with commas between them are needed, for example 192.0.2.0/24,2001:db8::/32.', (one) => ipaddr.isValidCIDR(one));

/** A tunnel's UUID, in lower case. */
export const tunnelId = () => text('the UUID of a tunnel is needed, for example f70ff985-a4ef-4643-bbbc-4a0ed4fc8415.', (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value));

/** A folder, made absolute against the folder that the process was started in; give a default with `prefault`, so that it is, too. */
export const folder = () => text('a path to a folder is needed.', (value) => !value.includes('\0')).transform((value) => resolve(value));

export const logLevel = () => z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], { error: 'fatal, error, warn, info, debug or trace is allowed.' });

export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) => z.enum(values, { error: `one of ${values.join(', ')} is allowed.` });

function list(allowed: string, isAllowed: (one: string) => boolean) {
  const parts = (value: string): string[] => value.split(',').map((one) => one.trim());
  return text(allowed, (value) => parts(value).every(isAllowed)).transform(parts);
}

function text(allowed: string, isAllowed: (value: string) => boolean) {
  return z.string({ error: allowed }).refine(isAllowed, { error: allowed });
}

function sizeOf(value: string): number {
  const found = /^(\d{1,12})([KMG]?)$/i.exec(value);
  if (!found) return 0;
  const size = Number(found[1]) * 1024 ** ' KMG'.indexOf((found[2] || ' ').toUpperCase());
  return Number.isSafeInteger(size) ? size : 0;
}

function portsOf(range: string): [number, number] {
  const [first = 0, last = 0] = range.split('-').map(Number);
  return [first, last];
}

function firstOf(range: string): string {
  return ipaddr.IPv4.networkAddressFromCIDR(range).toString();
}
