import { X509Certificate } from 'node:crypto';
import type { OriginCACertificateCreateParams } from 'cloudflare/resources/origin-ca-certificates/origin-ca-certificates.js';
import type { CertificateAuthority, PlacedOrder, RenewalWindow } from '../certificate-authority.js';
import { readChain } from '../certificate-chain.js';
import { ProviderError } from '../provider-error.js';
import { LookAgain, type CloudflareApi } from './cloudflare-api.js';
import { isForKey, isFor, serialOf, type ShownCertificate } from './origin-requests.js';
import { PER_PAGE, Zones, type Zone, type ZonesOptions } from './zones.js';

export interface OriginAuthorityOptions extends ZonesOptions {
  /** Days that a certificate lasts: 7, 30, 90, 365, 730, 1095 or 5475. */
  readonly days: OriginDays;
}

/** The lifetimes that Cloudflare issues for. */
export type OriginDays = 7 | 30 | 90 | 365 | 730 | 1095 | 5475;

/** What was revoked may be shown for a moment. */
const LOOKS = 4;
/** A certificate is looked for before it is made and after. So many answers may be lost: each may have taken all the time that a call has, and somebody waits to read why. */
const LOST = 2;

/**
 * Cloudflare's authority for certificates between its proxy and an origin: nobody else trusts it. It asks for no proof, for it keeps the zone. Nothing of a request names
 * it afterwards but its names and its key: an order remembers which certificates of these names there were, and what it finds beside them with the request's key is its own.
 */
export class CloudflareOriginAuthority implements CertificateAuthority {
  readonly name = 'cloudflare-origin';
  readonly features = { proofs: [] } as const;
  private readonly zones: Zones;

  constructor(
    private readonly api: CloudflareApi,
    private readonly options: OriginAuthorityOptions,
  ) {
    this.zones = new Zones(api, options);
  }

  async order(names: readonly string[], _proof: 'http-01' | 'dns-01', { signal }: { readonly replaces?: string; readonly signal?: AbortSignal } = {}): Promise<PlacedOrder> {
    mustGoOn(signal);
    const there = (await this.list(await this.zoneOf(names))).filter((one) => isFor(one, names));
    return { reference: JSON.stringify({ names, beside: there.map(({ id }) => id) }), proofs: [] };
  }

  async issue({ reference }: PlacedOrder, csr: string, signal?: AbortSignal): Promise<string> {
    const { names, beside } = JSON.parse(reference) as { names: readonly string[]; beside: readonly string[] };
    const zone = await this.zoneOf(names);
    let last: unknown;
    for (let lost = 0; lost < LOST; lost++) {
      mustGoOn(signal);
      const there = (await this.list(zone)).filter((one) => isFor(one, names) && isForKey(one, csr) && !beside.includes(one.id));
      if (there.length > 0) return this.keepOne(there);
      const made = await this.create(names, csr).catch((error: unknown) => void (last = lookAgain(error)));
      if (made) return new X509Certificate(made.certificate).toString();
    }
    throw last;
  }

  renewal(): Promise<RenewalWindow | undefined> {
    return Promise.resolve(undefined);
  }

  /** It takes no reason. */
  async revoke(chain: string, _reason: unknown, signal?: AbortSignal): Promise<void> {
    const [leaf] = readChain(chain);
    const names = (leaf.subjectAltName ?? '').split(', ').flatMap((entry) => (entry.startsWith('DNS:') ? [entry.slice(4)] : []));
    const zone = await this.zoneOf(names);
    let last: unknown;
    for (let look = 1; look <= LOOKS; look++) {
      mustGoOn(signal);
      const there = (await this.list(zone)).find((one) => serialOf(one) === leaf.serialNumber);
      if (!there) return;
      last = await this.remove(there.id).then(() => undefined, refused);
    }
    throw last ?? new ProviderError(`Cloudflare still shows the certificate ${leaf.serialNumber} for ${names.join(', ')} after it was revoked.`, true);
  }

  private async zoneOf(names: readonly string[]): Promise<Zone> {
    const zones = await Promise.all(names.map((name) => this.zones.holding(name.replace(/^\*\./, ''))));
    const [first] = zones;
    if (first && zones.every((zone) => zone?.id === first.id)) return first;
    throw new ProviderError(`Cloudflare issues origin certificates for names of one zone of the token's account, and ${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} in none.`, false);
  }

  /** Those of a zone that are not revoked. */
  private async list(zone: Zone): Promise<readonly ShownCertificate[]> {
    const found: ShownCertificate[] = [];
    const call = { what: `list the origin certificates of ${zone.name}` };
    for (let page = await this.api.ask(call, (client) => client.originCACertificates.list({ zone_id: zone.id, per_page: PER_PAGE })); ; page = await this.api.ask(call, () => page.getNextPage())) {
      found.push(...(page.result as ShownCertificate[]));
      if (page.result.length < PER_PAGE) return found.filter(({ id, certificate, revoked_at }) => id !== undefined && certificate && !revoked_at);
    }
  }

  /** Of two that were made at the same time every process keeps the same one. */
  private async keepOne(there: readonly ShownCertificate[]): Promise<string> {
    const [own, ...doubles] = [...there].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const { id } of doubles) await this.remove(id).catch(refused);
    return new X509Certificate(own!.certificate).toString();
  }

  private async create(names: readonly string[], csr: string): Promise<ShownCertificate> {
    const body: OriginCACertificateCreateParams = { csr, hostnames: [...names], request_type: 'origin-ecc', requested_validity: this.options.days };
    return (await this.api.ask({ what: `issue an origin certificate for ${names.join(', ')}`, changes: 'create-certificate', isCreation: true }, (client) => client.originCACertificates.create(body))) as ShownCertificate;
  }

  private async remove(id: string): Promise<void> {
    await this.api.ask({ what: `revoke the origin certificate ${id}`, changes: 'revoke-certificate' }, (client) => client.originCACertificates.delete(id));
  }
}

function mustGoOn(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ProviderError('It was called off.', true);
}

/** A removal that is refused may have been done before: what is listed says so. */
function refused(error: unknown): unknown {
  if (error instanceof ProviderError && !error.retryable) return error;
  throw error;
}

/** The answer was lost, or somebody was quicker: the zone itself says what is so. */
function lookAgain(error: unknown): unknown {
  if (error instanceof LookAgain) return error;
  throw error;
}
