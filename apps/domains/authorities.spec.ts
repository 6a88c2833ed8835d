import { describe, expect, it } from '@jest/globals';
import { readConfig } from '#boot/config.js';
import { domainDecider, type DomainEvent, type DomainName } from '#domain/domain-name/domain-name.js';
import type { CertificateAuthority } from '#providers/certificate-authority.js';
import type { DnsProvider } from '#providers/dns.js';
import { Authorities } from './authorities.js';
import { domainsConfig } from './domains.config.js';

const authority = (name: string, ...proofs: ('http-01' | 'dns-01')[]) => ({ name, features: { proofs } }) as unknown as CertificateAuthority;
const [acme, origin] = [authority('acme', 'http-01', 'dns-01'), authority('cloudflare-origin')];
const dns = {} as DnsProvider;

const claim = { name: 'shop.example.com', claimId: 'c', siteId: 's', projectId: 'p', ownerId: 'o', challenge: 'x', redirectTo: '', redirectStatus: 0 };
/** A domain for which the plane has set a record, proxied or not, or is about to; without one its owner has. */
function domain(proxied?: boolean, isSet = proxied !== undefined): DomainName {
  const records = proxied === undefined ? [] : [{ purpose: 'ownership', type: 'TXT', name: '_c.shop.example.com', value: 'x', proxied: false }, { purpose: 'pointing', type: 'A', name: claim.name, value: '192.0.2.1', proxied }];
  const [requested] = domainDecider.decide({ type: 'RequestDomain', claim, expected: [], managed: records, now: '2026-01-01T00:00:00.000Z', policy: { firstDelayMs: 1, longestDelayMs: 1, deadlineMs: 1, edgeDelayMs: 1 } }, domainDecider.initial);
  const set: DomainEvent = { type: 'DomainRecordsSet', data: { name: claim.name, siteId: 's', claimId: 'c', status: 'pending', attempt: 1, nextCheckAt: '', records } };
  return [requested!, ...(isSet ? [set] : [])].reduce(domainDecider.evolve, domainDecider.initial) as DomainName;
}

describe('who is asked for the certificate of a domain, and what proves it', () => {
  const chosen = (authorities: Authorities, asked: DomainName) => {
    const { authority: one, proof } = authorities.choose(asked);
    return [one.name, proof];
  };
  it('a TXT record where the plane sets the records, the edge everywhere else', () => {
    const authorities = new Authorities([acme], dns);
    expect([domain(false), domain(true), domain()].map((one) => chosen(authorities, one))).toEqual([['acme', 'dns-01'], ['acme', 'dns-01'], ['acme', 'http-01']]);
    expect(chosen(new Authorities([acme], undefined), domain(false))).toEqual(['acme', 'http-01']);
  });

  it("nothing, by Cloudflare's own authority, where visitors come by its proxy alone", () => {
    const authorities = new Authorities([origin, acme], dns);
    expect([domain(true), domain(false), domain()].map((one) => chosen(authorities, one))).toEqual([['cloudflare-origin', 'none'], ['acme', 'dns-01'], ['acme', 'http-01']]);
    expect(chosen(authorities, domain(true, false))).toEqual(['acme', 'http-01']);
    expect(authorities.forWildcards?.name).toBe('acme');
  });

  it('by whom a limit is set to how many a week', () => {
    const authorities = new Authorities([origin, acme], dns);
    expect(['cloudflare-origin', 'acme', 'uploaded'].map((name) => authorities.isOrigin(name))).toEqual([true, false, false]);
  });

  it('nobody, where visitors would not trust the only one that there is', () => {
    const authorities = new Authorities([origin], dns);
    expect(chosen(authorities, domain(true))).toEqual(['cloudflare-origin', 'none']);
    for (const one of [domain(false), domain()]) expect(() => authorities.choose(one)).toThrow(/trusted by Cloudflare's proxy alone.*shop\.example\.com.*HOSTPLANE_DNS_PROXIED=yes or a tunnel.*HOSTPLANE_ACME_DIRECTORY/);
    expect([authorities.plan(domain()).authority.name, authorities.forWildcards]).toEqual(['cloudflare-origin', undefined]);
  });

  it('is refused at the start when no visitor could trust it', () => {
    const env = { HOSTPLANE_DOMAINS_DATABASE_URL: 'postgres://x/y', HOSTPLANE_DOMAINS_NATS_URL: 'nats://x', HOSTPLANE_ORIGIN_CERTIFICATES: 'cloudflare' };
    const token = { HOSTPLANE_CLOUDFLARE_API_TOKEN: 't' };
    expect(() => readConfig(domainsConfig, env)).toThrow(/HOSTPLANE_CLOUDFLARE_API_TOKEN.*SSL and Certificates Edit/);
    expect(() => readConfig(domainsConfig, { ...env, ...token })).toThrow(/HOSTPLANE_ORIGIN_CERTIFICATES is "cloudflare": only Cloudflare's proxy trusts.*HOSTPLANE_DNS_PROXIED=yes, or HOSTPLANE_TUNNEL/);
    expect(readConfig(domainsConfig, { ...env, ...token, HOSTPLANE_DNS_PROXIED: 'yes' })).toMatchObject({ HOSTPLANE_ORIGIN_CERTIFICATE_DAYS: '365' });
    expect(() => readConfig(domainsConfig, { ...env, ...token, HOSTPLANE_DNS_PROXIED: 'yes', HOSTPLANE_ORIGIN_CERTIFICATE_DAYS: '60' })).toThrow(/one of 7, 30, 90/);
  });
});
