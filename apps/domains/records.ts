import { setTimeout as sleep } from 'node:timers/promises';
import type { DnsRecord } from '#contracts/gen/hostplane/v1/domain.js';
import { reached } from '#contracts/probe.js';
import type { Claim } from '#domain/domain-name/domain-name.js';
import { managedRecords } from '#domain/domain-name/proof.js';
import type { RecordsOutcome, RecordsWork } from '#domain/domain-name/records.js';
import type { DnsProvider, DnsRecordWish } from '#providers/dns.js';
import { ProviderError } from '#providers/provider-error.js';
import type { DomainsSettings } from './domains.config.js';
import { mayBeManaged } from './policy.js';

/** Whether the plane keeps the zone of a name may be asked for so long: names of other zones wait for the answer, too. */
const ZONE_WITHIN_MS = 5_000;

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
      const advice = work === 'set' && error.retryable ? ' It is tried again; a domain that somebody else sets these records for goes on without.' : '';
      return { kind: 'failed', error: `The records could not be ${work === 'set' ? 'set' : 'removed'}. ${error.message}${advice}`, isLasting: !error.retryable };
    }
  }

  private async set(dns: DnsProvider, wanted: readonly DnsRecord[]): Promise<readonly DnsRecord[]> {
    for (const record of wanted) if ((await inTime(dns.zoneOf(record.name), `Whether ${record.name} is in a zone of this plane could not be found out`)) === undefined) return [];
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

/** A question that nobody answers changes nothing: it is left, and its answer may be there at the next try. */
async function inTime<T>(answer: Promise<T>, what: string): Promise<T> {
  const waiting = new AbortController();
  const late = sleep(ZONE_WITHIN_MS, undefined, { signal: waiting.signal }).then(() => Promise.reject(new ProviderError(`${what} within ${ZONE_WITHIN_MS / 1000} s.`, true)));
  try {
    return await Promise.race([answer, late]);
  } finally {
    waiting.abort();
    late.catch(() => undefined);
  }
}

function wishOf({ type, name, value, proxied }: DnsRecord): DnsRecordWish {
  return { type: type as DnsRecordWish['type'], name, value, ...(type !== 'TXT' && { proxied }) };
}
