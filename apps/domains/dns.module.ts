import type { EventStore } from '#eventstore/event-store.js';
import type { DnsProvider } from '#providers/dns.js';
import type { DomainsSettings } from './domains.config.js';

/** Who keeps the zones that this plane may change: Cloudflare when there is a token for it, else nobody. */
export async function chooseDns(settings: DomainsSettings, store: EventStore): Promise<DnsProvider | undefined> {
  const { HOSTPLANE_CLOUDFLARE_API_TOKEN: token, HOSTPLANE_CLOUDFLARE_API_URL: url, HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: callMs, HOSTPLANE_DNS_ZONES: zones } = settings;
  if (token === undefined) return undefined;
  // Loaded only where it is used: the client is large.
  const [{ CloudflareApi }, { CloudflareDns }] = await Promise.all([import('#providers/cloudflare/cloudflare-api.js'), import('#providers/cloudflare/cloudflare-dns.js')]);
  return new CloudflareDns(new CloudflareApi({ token, url, callMs }), { zones, plane: idOf(store) });
}

/** The id that this plane's records bear: that of its log's first message, which nothing can change, so that every instance and every restart knows the same. */
function idOf(store: EventStore): () => Promise<string> {
  let known: string | undefined;
  return async () => {
    if (known === undefined) {
      const [first] = await store.read({ after: 0, limit: 1 });
      if (!first) throw new Error('There is no record to make for a plane whose log is empty.');
      known = first.id;
    }
    return known;
  };
}
