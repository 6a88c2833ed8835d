import { readFileSync } from 'node:fs';
import type { BusClient } from '#messaging/bus-client.js';
import type { CertificateAuthority } from '#providers/certificate-authority.js';
import type { DnsProvider } from '#providers/dns.js';
import type { OriginDays } from '#providers/cloudflare/origin-authority.js';
import { accountKey, authorityName } from './account-key.js';
import { Authorities } from './authorities.js';
import type { DomainsSettings } from './domains.config.js';

/** Who is asked for certificates, as it is configured. */
export async function chooseAuthorities(settings: DomainsSettings, bus: Pick<BusClient, 'ask'>, dns: DnsProvider | undefined): Promise<Authorities> {
  const known = [await originOf(settings), await acmeOf(settings, bus)];
  return new Authorities(known.flatMap((one) => one ?? []), dns);
}

async function originOf(settings: DomainsSettings): Promise<CertificateAuthority | undefined> {
  const { HOSTPLANE_ORIGIN_CERTIFICATES: kind, HOSTPLANE_CLOUDFLARE_API_TOKEN: token, HOSTPLANE_CLOUDFLARE_API_URL: url, HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: callMs, HOSTPLANE_DNS_ZONES: zones } = settings;
  if (kind === 'off' || token === undefined) return undefined;
  // Loaded only where it is used: the client is large.
  const [{ CloudflareApi }, { CloudflareOriginAuthority }] = await Promise.all([import('#providers/cloudflare/cloudflare-api.js'), import('#providers/cloudflare/origin-authority.js')]);
  return new CloudflareOriginAuthority(new CloudflareApi({ token, url, callMs, waitsWhenLimited: false }), { zones, days: Number(settings.HOSTPLANE_ORIGIN_CERTIFICATE_DAYS) as OriginDays });
}

async function acmeOf(settings: DomainsSettings, bus: Pick<BusClient, 'ask'>): Promise<CertificateAuthority | undefined> {
  const { HOSTPLANE_ACME_DIRECTORY: directory, HOSTPLANE_ACME_EAB_KID: kid, HOSTPLANE_ACME_EAB_HMAC_KEY: hmacKey, HOSTPLANE_ACME_CA_FILE: caFile, HOSTPLANE_ACME_TIMEOUT_MS: answerMs } = settings;
  if (!directory) return undefined;
  const { AcmeAuthority, knownDirectories } = await import('#providers/acme/acme-authority.js');
  const directoryUrl = knownDirectories[directory] ?? directory;
  return new AcmeAuthority({
    directoryUrl,
    email: settings.HOSTPLANE_ACME_EMAIL ?? '',
    ...(kid && hmacKey && { eab: { kid, hmacKey } }),
    ...(caFile && { trustedRoots: readFileSync(caFile, 'utf8') }),
    answerMs,
    accountKey: () => accountKey(bus, authorityName(directoryUrl)),
  });
}
