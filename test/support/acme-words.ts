import type { AcmeFault } from './acme-proxy.js';

/** What is said of each kind of call that an authority could not do; of those that are not signed, what it was asked for. */
const WORDS: Readonly<Record<string, RegExp>> = {
  directory: /, asked for \/dir: |Unable to locate API resource URL in ACME directory/,
  newNonce: /, asked for \/nonce-plz: |: Failed to get nonce/,
  'newAccount that only finds': /could not find our account: /,
  newAccount: /could not open an account: /,
  'newAccount with a binding': /could not open an account: /,
  account: /could not find our account: /,
  'account that is changed': /could not take note of whom to write to: /,
  newOrder: /could not take an order: /,
  'newOrder that replaces': /could not take an order: /,
  authorization: /could not say what is to be proven: /,
  'order after newOrder': /could not say how the order is: /,
  challenge: /could not look at a proof: /,
  'order after challenge': /could not say how the order is: /,
  finalize: /could not take the signing request: /,
  'order after finalize': /could not say how the order is: /,
  certificate: /could not hand over the certificate: /,
  renewalInfo: /could not tell when to renew(, asked for \/draft\S+)?: /,
  revokeCert: /could not revoke the certificate: /,
};
const CAUSES: Readonly<Record<AcmeFault, RegExp>> = {
  fails: /it answers 500 \(serverInternal\): Injected: out of order\.$/,
  'is-busy': /it answers 503: it does not say why$/,
  limits: /it answers 429 \(rateLimited\): Injected: too much was asked\.$/,
  refuses: /it answers 403 \(unauthorized\): Injected: not for you\.$/,
  'bad-nonce': /badNonce/,
  half: /it answers 20\d with what is no JSON$|it answers 400: it does not say why$|no whole chain in PEM\.$|Failed to get nonce/,
  nothing: /its answer has no|it answers 400: it does not say why$|no whole chain in PEM\.$|Failed to get nonce|Unable to locate/,
  'cut-before': /socket hang up|ECONNRESET/,
  'cut-after': /socket hang up|ECONNRESET/,
  'hang-after': /no whole answer came within [\d.]+ s$/,
};
/** Of a nonce only the head is asked for, which has no words. */
const WORDLESS: Readonly<Partial<Record<AcmeFault, RegExp>>> = { fails: /it answers 500: it does not say why$/, limits: /it answers 429: it does not say why$/, refuses: /it answers 403: it does not say why$/ };

/** How it is told what could not be done. A kind of call that nobody has thought of yet is an error. */
export function wordsOf(kind: string): RegExp {
  const words = WORDS[kind];
  if (!words) throw new Error(`There are no words for the call ${kind}.`);
  return words;
}

/** How it is told why. */
export const causeOf = (kind: string, fault: AcmeFault): RegExp => (kind === 'newNonce' && WORDLESS[fault]) || CAUSES[fault];
