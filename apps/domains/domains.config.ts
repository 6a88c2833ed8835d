import { z } from 'zod';
import { addresses, baseDomain, bindAddress, logLevel, ranges, resolvers, url, wholeNumber } from '#boot/fields.js';

/** What the domains service needs of its environment. */
export const domainsConfig = z.object({
  HOSTPLANE_DOMAINS_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_DOMAINS_NATS_URL: url('nats', 'tls'),
  HOSTPLANE_BASE_DOMAIN: baseDomain().default('localhost'),
  HOSTPLANE_BIND: bindAddress().default('127.0.0.1'),
  /** Addresses that custom domains have to lead to; without it the one that is listened on. */
  HOSTPLANE_PUBLIC_ADDRESSES: addresses().optional(),
  /** Who is asked for a custom domain's records; without it this machine's own resolvers. */
  HOSTPLANE_DNS_RESOLVERS: resolvers().optional(),
  HOSTPLANE_DNS_TIMEOUT_MS: wholeNumber(50, 60_000).default(3_000),
  /** Ranges of a proxy that visitors may come through; without it Cloudflare's. */
  HOSTPLANE_PROXY_RANGES: ranges().optional(),
  /** Between the first two looks at a domain's records; doubled after each, up to the longest. */
  HOSTPLANE_DOMAIN_CHECK_SECONDS: wholeNumber(1, 3_600).default(5),
  HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: wholeNumber(1, 86_400).default(300),
  /** How long a domain may stay unproven until it fails. */
  HOSTPLANE_DOMAIN_DEADLINE_SECONDS: wholeNumber(1, 2_592_000).default(259_200),
  LOG_LEVEL: logLevel().default('info'),
});

export type DomainsSettings = z.infer<typeof domainsConfig>;
