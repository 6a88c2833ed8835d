import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import type { DnsFinding } from '#contracts/gen/hostplane/v1/domain.js';
import { reached } from '#contracts/probe.js';
import { unseen } from '#domain/certificate/unseen.js';
import type { DnsLookup } from '#providers/dns-lookup.js';
import type { DnsProvider, DnsRecordWish } from '#providers/dns.js';
import { ProviderError } from '#providers/provider-error.js';

/** A look may be followed by another soon: nobody has to remember the record for long. */
const TTL_SECONDS = 60;

/** Sets the records that prove names to authorities, looks for them, and takes them away. Each is marked as ours, and stands beside others of its name. */
export class ProofRecords {
  constructor(
    /** Without it this plane keeps no zone. */
    private readonly dns: DnsProvider | undefined,
    private readonly lookup: DnsLookup,
  ) {}

  async set(proofs: readonly CertificateProof[]): Promise<void> {
    const dns = this.provider('set');
    for (const [i, proof] of proofs.entries()) {
      reached(`certificate:dns-proof:set:${i}`);
      await dns.ensure({ ...wishOf(proof), ttlSeconds: TTL_SECONDS });
    }
    reached('certificate:dns-proof');
  }

  /** What the resolvers show, and what is missing of it. */
  async look(proofs: readonly CertificateProof[]): Promise<{ readonly found: readonly DnsFinding[]; readonly missing: string }> {
    reached('certificate:dns-proof:look');
    const found = await this.lookup.ask([...new Set(proofs.map(({ token }) => token))].map((name) => ({ type: 'TXT', name })));
    reached('certificate:dns-proof:looked');
    return unseen(proofs, found);
  }

  /** In the reverse order. What was done twice is done once, so a process that died half-way begins anew. */
  async remove(proofs: readonly CertificateProof[]): Promise<void> {
    if (proofs.length === 0) return;
    const dns = this.provider('removed');
    for (const [i, proof] of [...proofs.entries()].reverse()) {
      reached(`certificate:dns-proof:remove:${i}`);
      await dns.remove(wishOf(proof));
    }
    reached('certificate:dns-proof:removed');
  }

  private provider(what: string): DnsProvider {
    if (this.dns) return this.dns;
    throw new ProviderError(`The TXT records of its proof cannot be ${what}: this plane no longer has the token of the account that keeps the zone. Set HOSTPLANE_CLOUDFLARE_API_TOKEN again.`, false);
  }
}

const wishOf = ({ token: name, text: value }: CertificateProof): DnsRecordWish => ({ type: 'TXT', name, value });
