import { z } from 'zod';
import { addresses, baseDomain, bindAddress, dnsGrants, domainNames, folder, logLevel, oneOf, ranges, resolvers, tunnelId, url, wholeNumber } from '#boot/fields.js';

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
  /** With it records are set in the zones at Cloudflare that it may edit, for those who may use them. */
  HOSTPLANE_CLOUDFLARE_API_TOKEN: z.string().min(1, 'a token is needed.').optional(),
  HOSTPLANE_CLOUDFLARE_API_URL: url('https', 'http').default('https://api.cloudflare.com/client/v4'),
  HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: wholeNumber(100, 120_000).default(15_000),
  /** Limits the zones that are changed; without it all that the token shows. */
  HOSTPLANE_DNS_ZONES: domainNames().optional(),
  /** Names of these zones that projects may use without proving them. */
  HOSTPLANE_DNS_GRANTS: dnsGrants().optional(),
  /** Whether visitors come through the proxy of whoever keeps the zone. */
  HOSTPLANE_DNS_PROXIED: oneOf('yes', 'no').default('no'),
  /** Whether visitors come through a tunnel: then a domain has to lead to it. */
  HOSTPLANE_TUNNEL: oneOf('off', 'local', 'cloudflare').default('off'),
  HOSTPLANE_TUNNEL_ID: tunnelId().optional(),
  /** Who issues certificates: letsencrypt, letsencrypt-staging, or the address of another ACME directory; without it nobody is asked. */
  HOSTPLANE_ACME_DIRECTORY: z.union([oneOf('letsencrypt', 'letsencrypt-staging'), url('https')], { error: 'letsencrypt, letsencrypt-staging or the https:// address of an ACME directory is needed.' }).optional(),
  /** Whom the authority writes to. */
  HOSTPLANE_ACME_EMAIL: z.email({ error: 'an email address is needed.' }).optional(),
  /** An account that the authority gave out by other ways (external account binding). */
  HOSTPLANE_ACME_EAB_KID: z.string().optional(),
  HOSTPLANE_ACME_EAB_HMAC_KEY: z.string().optional(),
  /** Further roots (PEM) that the directory's own certificate may come from. */
  HOSTPLANE_ACME_CA_FILE: folder().optional(),
  HOSTPLANE_ACME_TIMEOUT_MS: wholeNumber(100, 120_000).default(30_000),
  /** Whether names that visitors reach by Cloudflare's proxy alone, or by a tunnel, get certificates that only that proxy trusts. */
  HOSTPLANE_ORIGIN_CERTIFICATES: oneOf('off', 'cloudflare').default('off'),
  HOSTPLANE_ORIGIN_CERTIFICATE_DAYS: oneOf('7', '30', '90', '365', '730', '1095', '5475').default('365'),
  /** After the first failure to get a certificate; doubled after each, up to the longest. Five minutes keep below Let's Encrypt's five failures an hour. */
  HOSTPLANE_CERTIFICATE_RETRY_SECONDS: wholeNumber(1, 86_400).default(300),
  /** How long a record that proves a name to an authority may stay unseen in the DNS. */
  HOSTPLANE_CERTIFICATE_PROOF_DEADLINE_SECONDS: wholeNumber(1, 604_800).default(3_600),
  HOSTPLANE_CERTIFICATE_LONGEST_RETRY_SECONDS: wholeNumber(1, 604_800).default(43_200),
  LOG_LEVEL: logLevel().default('info'),
}).superRefine((settings, context) => {
  const [kid, key] = [settings.HOSTPLANE_ACME_EAB_KID, settings.HOSTPLANE_ACME_EAB_HMAC_KEY];
  if ((kid === undefined) !== (key === undefined)) context.addIssue({ code: 'custom', path: [kid === undefined ? 'HOSTPLANE_ACME_EAB_KID' : 'HOSTPLANE_ACME_EAB_HMAC_KEY'], message: 'HOSTPLANE_ACME_EAB_KID and HOSTPLANE_ACME_EAB_HMAC_KEY belong together.' });
  const say = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message });
  if (settings.HOSTPLANE_ORIGIN_CERTIFICATES !== 'off' && settings.HOSTPLANE_CLOUDFLARE_API_TOKEN === undefined) say('HOSTPLANE_CLOUDFLARE_API_TOKEN', `HOSTPLANE_ORIGIN_CERTIFICATES is ${settings.HOSTPLANE_ORIGIN_CERTIFICATES}, so a token with SSL and Certificates Edit of the zones is needed.`);
  else if (settings.HOSTPLANE_ORIGIN_CERTIFICATES !== 'off' && settings.HOSTPLANE_DNS_PROXIED === 'no' && settings.HOSTPLANE_TUNNEL === 'off') say('HOSTPLANE_ORIGIN_CERTIFICATES', "only Cloudflare's proxy trusts such certificates, so visitors have to come through it: set HOSTPLANE_DNS_PROXIED=yes, or HOSTPLANE_TUNNEL; otherwise take HOSTPLANE_ACME_DIRECTORY.");
  if (settings.HOSTPLANE_TUNNEL !== 'off' && settings.HOSTPLANE_TUNNEL_ID === undefined) context.addIssue({ code: 'custom', path: ['HOSTPLANE_TUNNEL_ID'], message: `HOSTPLANE_TUNNEL is ${settings.HOSTPLANE_TUNNEL}, so the tunnel's id is needed.` });
});

export type DomainsSettings = z.infer<typeof domainsConfig>;
