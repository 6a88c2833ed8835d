import { readFileSync } from 'node:fs';
import type { BusClient } from '#messaging/bus-client.js';
import { AcmeAuthority, knownDirectories } from '#providers/acme/acme-authority.js';
import type { CertificateAuthority } from '#providers/certificate-authority.js';
import type { DnsProvider } from '#providers/dns.js';
import { accountKey, authorityName } from './account-key.js';
import { Authorities } from './authorities.js';
import type { DomainsSettings } from './domains.config.js';

/** Who is asked for certificates, as it is configured. */
export function chooseAuthorities(settings: DomainsSettings, bus: Pick<BusClient, 'ask'>, dns: DnsProvider | undefined): Authorities {
  const acme = acmeOf(settings, bus);
  return new Authorities(acme ? [acme] : [], dns);
}

function acmeOf(settings: DomainsSettings, bus: Pick<BusClient, 'ask'>): CertificateAuthority | undefined {
  const { HOSTPLANE_ACME_DIRECTORY: directory, HOSTPLANE_ACME_EAB_KID: kid, HOSTPLANE_ACME_EAB_HMAC_KEY: hmacKey, HOSTPLANE_ACME_CA_FILE: caFile } = settings;
  if (!directory) return undefined;
  const directoryUrl = knownDirectories[directory] ?? directory;
  return new AcmeAuthority({
    directoryUrl,
    email: settings.HOSTPLANE_ACME_EMAIL ?? '',
    ...(kid && hmacKey && { eab: { kid, hmacKey } }),
    ...(caFile && { trustedRoots: readFileSync(caFile, 'utf8') }),
    accountKey: () => accountKey(bus, authorityName(directoryUrl)),
  });
}
