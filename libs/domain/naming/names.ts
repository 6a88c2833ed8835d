import { Refusal } from '../refusal.js';
import { shortId } from './naming.js';

/** Longest name of a site or project; leaves room in a DNS label of 63 for the suffix of `hostLabels`. */
export const MAX_NAME_LENGTH = 48;

/** Labels that visitors would take for the plane itself or for a mail or name server (RFC 2142 and common use). */
const RESERVED = new Set([
  'www', 'api', 'admin', 'root', 'hostplane', 'dashboard', 'edge', 'mail', 'smtp', 'imap', 'pop', 'ftp', 'ns', 'ns1', 'ns2', 'dns',
  'mx', 'autoconfig', 'autodiscover', 'postmaster', 'hostmaster', 'webmaster', 'abuse', 'localhost', 'local', 'internal', 'wpad', 'isatap',
]);

/** Refuses what cannot be a DNS label (RFC 1035, RFC 5890), is too long or, for a site, reserved. */
export function checkName(name: string, what: 'site' | 'project'): void {
  const say = (rule: string): never => {
    throw new Refusal('invalid', `"${name.slice(0, 80)}" cannot be the name of a ${what}: ${rule}`, 'name');
  };
  if (name.length === 0) say('it is empty.');
  if (name.length > MAX_NAME_LENGTH) say(`it has ${name.length} characters, at most ${MAX_NAME_LENGTH} are allowed.`);
  if (!/^[a-z0-9-]+$/.test(name)) say('only the letters a to z, digits and hyphens are allowed.');
  if (name.startsWith('-') || name.endsWith('-')) say('it begins or ends with a hyphen.');
  if (name.slice(2, 4) === '--') say('hyphens in the third and fourth place are kept for internationalised names.');
  if (what === 'site' && RESERVED.has(name)) say('this name is reserved.');
}

/**
 * Labels to try, in this order, for a site's address under the base domain. Names are unique for an owner only, addresses
 * for everybody: who comes second gets a suffix that follows from the site's id.
 */
export function hostLabels(name: string, siteId: string): readonly string[] {
  const id = shortId(siteId);
  return [name, `${name}-${id.slice(-6)}`, `${name}-${id.slice(-13)}`];
}
