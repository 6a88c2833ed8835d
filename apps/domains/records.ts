import type { DnsRecord } from '#contracts/gen/hostplane/v1/domain.js';
import { reached } from '#contracts/probe.js';
import type { Claim } from '#domain/domain-name/domain-name.js';
import { managedRecords } from '#domain/domain-name/proof.js';
import type { RecordsOutcome, RecordsWork } from '#domain/domain-name/records.js';
import type { DnsProvider, DnsRecordWish } from '#providers/dns.js';
import { ProviderError } from '#providers/provider-error.js';
import type { DomainsSettings } from './domains.config.js';
import { mayBeManaged } from './policy.js';

/** Sets and removes the records of domains whose zones this plane keeps. */
export class Records {
  constructor(
    /** Without it this plane keeps no zone. */
    private readonly dns: DnsProvider | undefined,
    private readonly settings: DomainsSettings,
  ) {}

  /** Those of the expected records that the plane is to set itself; whether it keeps the zone is seen when they are set. */
  plan({ name, projectId }: Pick<Claim, 'name' | 'projectId'>, byOperator: boolean, expected: readonly DnsRecord[]): readonly DnsRecord[] {
    const { HOSTPLANE_DNS_GRANTS: grants = [], HOSTPLANE_DNS_PROXIED: proxied } = this.settings;
    return this.dns && mayBeManaged(name, projectId, byOperator, grants) ? managedRecords(expected, proxied === 'yes') : [];
  }

  /** Sets all of them in order, or removes all in the reverse one. What was done twice is done once, so a process that died half-way begins anew. */
  async tend(work: RecordsWork, wanted: readonly DnsRecord[]): Promise<RecordsOutcome> {
    try {
      if (!this.dns) throw new ProviderError('This plane no longer has the token of the account that keeps the zone: set HOSTPLANE_CLOUDFLARE_API_TOKEN again.', true);
      return { kind: 'done', records: work === 'set' ? await this.set(this.dns, wanted) : await this.remove(this.dns, wanted) };
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      return { kind: 'failed', error: `The records could not be ${work === 'set' ? 'set' : 'removed'}. ${error.message}`, isLasting: !error.retryable };
    }
  }

  private async set(dns: DnsProvider, wanted: readonly DnsRecord[]): Promise<readonly DnsRecord[]> {
    for (const record of wanted) if ((await dns.zoneOf(record.name)) === undefined) return [];
    for (const [i, record] of wanted.entries()) {
      reached(`domains:records:set:${i}`);
      await dns.ensure(wishOf(record));
    }
    reached('domains:records:set');
    return wanted;
  }

  private async remove(dns: DnsProvider, wanted: readonly DnsRecord[]): Promise<readonly DnsRecord[]> {
    for (const [i, record] of [...wanted.entries()].reverse()) {
      reached(`domains:records:remove:${i}`);
      await dns.remove(wishOf(record));
    }
    reached('domains:records:removed');
    return [];
  }
}

function wishOf({ type, name, value, proxied }: DnsRecord): DnsRecordWish {
  return { type: type as DnsRecordWish['type'], name, value, ...(type !== 'TXT' && { proxied }) };
}
