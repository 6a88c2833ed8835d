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

  /** For a custom domain: a record of the DNS proves what the plane sets records for (decision 29), the edge proves everything else. */
  forDomain(domain: DomainName): Choice {
    const authority = this.automatic;
    if (!authority) throw new ProviderError('This plane asks no certificate authority any more: set HOSTPLANE_ACME_DIRECTORY, or upload a certificate.', false);
    return { authority, proof: this.dns && isOurs(domain) ? 'dns-01' : 'http-01' };
  }
}

/** The plane has set the domain's records, in a zone that it keeps, for somebody who may use it. */
const isOurs = ({ records: { phase, wanted } }: DomainName): boolean => phase === 'set' && wanted.length > 0;
