import { parse } from 'tldts';
import { toASCII } from 'tr46';
import { challengeName } from '#domain/domain-name/proof.js';
import { Refusal } from '#domain/refusal.js';

export interface ReadName {
  /** In the DNS' own letters, for example xn--bcher-kva.example. */
  readonly name: string;
  /** It is what its registrar sold, not a name below that. */
  readonly isZoneTop: boolean;
}

/** UTS #46 as strict as it can be: letters, digits and hyphens (STD 3), label and name lengths (RFC 1035), valid Punycode, contextual and bidi rules (RFC 5892, 5893). */
const STRICT = {
  checkHyphens: true, checkBidi: true, checkJoiners: true, useSTD3ASCIIRules: true, verifyDNSLength: true, transitionalProcessing: false, ignoreInvalidPunycode: false,
};

/** The longest name in the DNS, as text without a dot at its end. */
const LONGEST = 253;

/**
 * Reads a custom domain as somebody typed it. Refuses what no registrar under a public suffix could have sold, what is this plane's own, and wildcards, which
 * no proof by one record covers.
 */
export function readDomainName(typed: string, baseDomain: string, { what, field } = { what: 'a custom domain', field: 'name' }): ReadName {
  const say = (why: string): never => {
    throw new Refusal('invalid', `"${typed.slice(0, 80)}" cannot be ${what}: ${why}`, field);
  };
  if (typed.startsWith('*')) return say('wildcards are not taken. Add each name by itself.');
  const name = toASCII(typed.replace(/\.$/, ''), STRICT);
  if (name === null || name === '') return say('it is not a domain name such as shop.example.com.');
  const { publicSuffix, domain, isIp, isIcann, isPrivate } = parse(name, { allowPrivateDomains: true, extractHostname: false, validateHostname: false });
  if (isIp) return say('it is an IP address.');
  if (name === baseDomain || name.endsWith(`.${baseDomain}`)) return say(`${baseDomain} and the names below it are given to sites by this plane itself.`);
  if (!isIcann && !isPrivate) return say(`.${publicSuffix ?? name} is not on the public suffix list.`);
  if (domain === null) return say(`${name} is a public suffix: nobody owns it alone.`);
  if (challengeName(name).length > LONGEST) return say(`it has ${name.length} characters, at most ${LONGEST - challengeName('').length} are allowed.`);
  return { name, isZoneTop: name === domain };
}
