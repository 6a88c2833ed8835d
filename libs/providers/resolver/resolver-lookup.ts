import { Resolver } from 'node:dns/promises';
import type { DnsFinding } from '#contracts/gen/hostplane/v1/domain.js';
import type { DnsLookup, DnsQuestion } from '../dns-lookup.js';

export interface ResolverSettings {
  /** Addresses as `192.0.2.53`, `192.0.2.53:5353` or `[2001:db8::53]:5353`; none: those of this machine. */
  readonly resolvers: readonly string[];
  /** How long one may be silent. */
  readonly timeoutMs: number;
}

/** c-ares has no answer for a name that is not there, or that has no record of the type: both are answers to us. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA']);
const TRIES = 2;

/** Asks resolvers through Node's own client, each by itself. */
export class ResolverLookup implements DnsLookup {
  private readonly resolvers: readonly { readonly address: string; readonly resolver: Resolver }[];

  constructor({ resolvers, timeoutMs }: ResolverSettings) {
    const addresses = resolvers.length > 0 ? resolvers : new Resolver().getServers();
    this.resolvers = addresses.map((address) => {
      const resolver = new Resolver({ timeout: timeoutMs, tries: TRIES });
      resolver.setServers([address]);
      return { address, resolver };
    });
  }

  ask(questions: readonly DnsQuestion[]): Promise<readonly DnsFinding[]> {
    return Promise.all(this.resolvers.flatMap(({ address, resolver }) => questions.map((question) => find(address, resolver, question))));
  }
}

async function find(address: string, resolver: Resolver, { type, name }: DnsQuestion): Promise<DnsFinding> {
  const finding = { resolver: address, type, name };
  try {
    return { ...finding, values: await valuesOf(resolver, type, name), error: '' };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return { ...finding, values: [], error: NOTHING.has(code) ? '' : reasonOf(code) };
  }
}

async function valuesOf(resolver: Resolver, type: DnsQuestion['type'], name: string): Promise<string[]> {
  switch (type) {
    case 'A':
      return (await resolver.resolve4(name)).sort();
    case 'AAAA':
      return (await resolver.resolve6(name)).sort();
    case 'CNAME':
      return (await resolver.resolveCname(name)).map((host) => host.toLowerCase().replace(/\.$/, '')).sort();
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((parts) => parts.join('')).sort();
  }
}

function reasonOf(code: string): string {
  const reasons: Readonly<Record<string, string>> = {
    ETIMEOUT: 'it did not answer in time', ECONNREFUSED: 'nobody answers there', ESERVFAIL: 'it failed (SERVFAIL)', EREFUSED: 'it refused', ECANCELLED: 'it did not answer in time',
  };
  return reasons[code] ?? `it failed (${code})`;
}
