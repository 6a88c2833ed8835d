/** One record that the plane wants to be there. */
export interface DnsRecordWish {
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT';
  /** The whole name in lower case and the DNS' own letters, without a dot at its end. */
  readonly name: string;
  /** An address, a host name without a dot at its end, or the text of a TXT record as it is, without quotes. */
  readonly value: string;
  /** Without it the vendor's own default. */
  readonly ttlSeconds?: number;
  /** Visitors come through the vendor's proxy; only of vendors that have one, and never of TXT. */
  readonly proxied?: boolean;
}

/**
 * Changes the zones of an account. Each record that it makes bears a mark with the plane's id: only records with that mark are ever changed or removed.
 *
 * `ensure` returns once the vendor has confirmed the record. Twice is once, and a record of ours whose TTL or proxying differs is changed. A name may have several
 * TXT and several address records, each with its own value; a CNAME is alone, so one of ours with another value is changed. A record that is somebody
 * else's is never touched: when it says the same the wish is fulfilled and it stays theirs; an address or CNAME beside which visitors would be led to
 * two places is a conflict, a ProviderError that is not retryable and names it.
 * `remove` takes away what `ensure` made: the record of ours with that type, name and value. One that is not there, or is not ours, is fine.
 * `zoneOf` is the longest zone that holds the name and may be changed, if any. `list` shows our records of a zone, and nobody else's.
 *
 * At once: of two calls that want the same record one makes it and both succeed. Half-way: an answer that was lost is not trusted either way, the zone is looked
 * at again before anything is sent again, so a call that is repeated after a crash never leaves a second record. What may pass by itself (too many requests, a
 * vendor's fault, no answer) is a ProviderError that is retryable; no message holds the account's token.
 */
export interface DnsProvider {
  readonly name: string;
  zoneOf(name: string): Promise<string | undefined>;
  ensure(record: DnsRecordWish): Promise<void>;
  remove(record: DnsRecordWish): Promise<void>;
  list(zone: string): Promise<readonly DnsRecordWish[]>;
}
