import type { CertificateAuthority } from '#providers/certificate-authority.js';
import type { DnsProvider } from '#providers/dns.js';
import { ProviderError } from '#providers/provider-error.js';

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

  get(name: string): CertificateAuthority {
    const found = this.all.find((one) => one.name === name);
    if (found) return found;
    throw new ProviderError(`The certificate came from "${name}", which this plane is not configured for any more: set what belongs to it.`, true);
  }

  /** How the names can be proven: wildcards by the DNS alone. */
  proofFor(names: readonly string[]): 'http-01' | 'dns-01' {
    if (!names.some((name) => name.startsWith('*.'))) return 'http-01';
    if (this.dns) return 'dns-01';
    throw new ProviderError(`${names.join(', ')} can only be proven by a DNS record, and no provider of the DNS is configured.`, false);
  }
}
