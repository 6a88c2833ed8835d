import type { DnsFinding } from '#contracts/gen/hostplane/v1/domain.js';

/** What is asked of the DNS. */
export interface DnsQuestion {
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT';
  readonly name: string;
}

/**
 * Looks names up as visitors' machines would, at several resolvers, so that one that is stale or lies is seen as such.
 *
 * `ask` puts every question to every resolver at once and gives one finding for each pair, in that order. A name or record that does not exist is a
 * finding without values; a resolver that fails or is silent for too long is a finding with its error: it never throws. Host names in values are in lower
 * case without a dot at the end; the parts of a TXT record are joined. Asking twice changes nothing.
 */
export interface DnsLookup {
  ask(questions: readonly DnsQuestion[]): Promise<readonly DnsFinding[]>;
}
