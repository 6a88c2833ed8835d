import ipaddr from 'ipaddr.js';

type Range = ReturnType<typeof ipaddr.parseCIDR>;

/** Ranges of IP addresses, asked whether they hold one. An IPv4 address that comes as an IPv6 one is the IPv4 address. */
export class Ranges {
  private readonly ranges: readonly Range[];

  constructor(ranges: readonly string[]) {
    this.ranges = ranges.map((range) => ipaddr.parseCIDR(range));
  }

  hold(address: string): boolean {
    return this.firstThatHolds(address) >= 0;
  }

  /** Place of the first range that holds an address; -1: none does. */
  firstThatHolds(address: string): number {
    if (!ipaddr.isValid(address)) return -1;
    const parsed = ipaddr.process(address);
    return this.ranges.findIndex(([first, bits]) => parsed.kind() === first.kind() && parsed.match(first, bits));
  }

  /** The last address that was not added by one of these proxies, of those that a request passed; `remote` is where it came from at last. */
  visitorOf(remote: string, forwardedFor: string): string {
    let visitor = remote;
    for (const entry of forwardedFor.split(',').reverse()) {
      const address = entry.trim();
      if (!this.hold(visitor) || !ipaddr.isValid(address)) break;
      visitor = ipaddr.process(address).toString();
    }
    return visitor;
  }
}
