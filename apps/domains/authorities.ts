import type { ProofKind } from '#domain/certificate/policy.js';
import type { DomainName } from '#domain/domain-name/domain-name.js';
import type { CertificateAuthority } from '#providers/certificate-authority.js';
import type { DnsProvider } from '#providers/dns.js';
import { ProviderError } from '#providers/provider-error.js';

/** Who is asked for a certificate, and how its names are proven there. */
export interface Choice {
  readonly authority: CertificateAuthority;
  readonly proof: ProofKind;
}

/** The certificate authorities that this plane is configured for. */
export class Authorities {
  constructor(
    private readonly all: readonly CertificateAuthority[],
    /** Who keeps the records of zones that we were given charge of. */
    readonly dns: DnsProvider | undefined,
  ) {}

  /** Who is asked for new certificates; undefined: nobody, they have to be uploaded. */
  get automatic(): CertificateAuthority | undefined {
    return this.all[0];
  }

  /** Who issues for wildcards, and is trusted by everybody; undefined: nobody. */
  get forWildcards(): CertificateAuthority | undefined {
    return this.all.find(({ features }) => features.proofs.includes('dns-01'));
  }

  find(name: string): CertificateAuthority | undefined {
    return this.all.find((one) => one.name === name);
  }

  get(name: string): CertificateAuthority {
    const found = this.find(name);
    if (found) return found;
    throw new ProviderError(`The certificate came from "${name}", which this plane is not configured for any more: set what belongs to it.`, true);
  }

  /** Whether one issues for its own proxy alone: it asks for no proof, and sets no limit to a week's certificates. */
  isOrigin(name: string): boolean {
    return this.find(name)?.features.proofs.length === 0;
  }

  /** For a custom domain, where nothing stands against it; `refusal`: what does. */
  plan(domain: DomainName): Plan {
    const origin = this.all.find(({ name }) => this.isOrigin(name));
    const open = this.all.find(({ name }) => !this.isOrigin(name));
    if (origin && isBehindProxy(domain)) return { authority: origin, proof: 'none' };
    // A record of the DNS proves what the plane sets records for (decision 29), the edge proves everything else.
    if (open) return { authority: open, proof: this.dns && isOurs(domain) ? 'dns-01' : 'http-01' };
    if (origin) return { authority: origin, proof: 'none', refusal: untrusted(domain) };
    throw new ProviderError('This plane asks no certificate authority any more: set HOSTPLANE_ACME_DIRECTORY, or upload a certificate.', false);
  }

  choose(domain: DomainName): Choice {
    const { refusal, ...choice } = this.plan(domain);
    if (refusal !== undefined) throw new ProviderError(refusal, false);
    return choice;
  }
}

export interface Plan extends Choice {
  readonly refusal?: string;
}

/** The plane has set the domain's records, in a zone that it keeps, for somebody who may use it. */
const isOurs = ({ records: { phase, wanted } }: DomainName): boolean => phase === 'set' && wanted.length > 0;

/** Visitors get to the domain by nothing but the proxy, or a tunnel that begins there: the plane itself has seen to that. */
function isBehindProxy(domain: DomainName): boolean {
  const pointing = domain.records.wanted.filter(({ purpose }) => purpose === 'pointing');
  return isOurs(domain) && pointing.length > 0 && pointing.every(({ proxied }) => proxied);
}

function untrusted({ claim: { name } }: DomainName): string {
  return `An origin certificate is trusted by Cloudflare's proxy alone, and the plane sets no proxied record for ${name}: its visitors would be warned. Have the plane set its records (an operator's token, or HOSTPLANE_DNS_GRANTS) with HOSTPLANE_DNS_PROXIED=yes or a tunnel, set HOSTPLANE_ACME_DIRECTORY for all other names, or upload a certificate.`;
}
