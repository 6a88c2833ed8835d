import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ipaddr from 'ipaddr.js';
import { cloudflareRanges } from './ranges.js';

/** The published list, which is not part of this project. */
const file = join(resolve(import.meta.dirname, '../../..', process.env['HOSTPLANE_SPECS'] ?? '../shared/specs'), 'cloudflare-ips.json');
const describeWithList = existsSync(file) ? describe : describe.skip;

describe('the ranges of the proxy', () => {
  it('are ranges, each by its first address and none within another', () => {
    const parsed = cloudflareRanges.map((range) => ipaddr.parseCIDR(range));
    for (const [i, [first, bits]] of parsed.entries()) {
      const network = first.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(cloudflareRanges[i]!) : ipaddr.IPv6.networkAddressFromCIDR(cloudflareRanges[i]!);
      expect(network.toString()).toBe(first.toString());
      expect(parsed.filter(([other, otherBits], j) => i !== j && other.kind() === first.kind() && otherBits <= bits && first.match(other, otherBits))).toEqual([]);
    }
  });
});

describeWithList(`the ranges of the proxy${existsSync(file) ? '' : ' (skipped: needs cloudflare-ips.json in the folder that HOSTPLANE_SPECS names)'}`, () => {
  it('are those that are published', () => {
    const list = JSON.parse(readFileSync(file, 'utf8')) as { ipv4_cidrs: string[]; ipv6_cidrs: string[] };
    expect([...cloudflareRanges].sort()).toEqual([...list.ipv4_cidrs, ...list.ipv6_cidrs].sort());
  });
});
