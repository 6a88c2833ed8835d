import type { CloudflareApi } from './cloudflare-api.js';

export interface ZonesOptions {
  /** Zones that may be changed; without it all that the token shows. */
  readonly zones?: readonly string[] | undefined;
  /** How long the account's zones are remembered. */
  readonly zonesForMs?: number;
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly hasTags: boolean;
}

/** A zone as Cloudflare shows it, as far as it matters here. */
interface ShownZone {
  readonly id: string;
  readonly name: string;
  readonly plan?: { readonly legacy_id?: string };
}

/** Plans whose records may have tags (https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/). */
const PAID = new Set(['pro', 'business', 'enterprise']);
/** Of anything at Cloudflare on one page; more are read page by page. */
export const PER_PAGE = 50;

/** The zones of an account that may be changed. */
export class Zones {
  private known: { readonly zones: Promise<readonly Zone[]>; readonly until: number } | undefined;

  constructor(
    private readonly api: CloudflareApi,
    private readonly options: ZonesOptions,
  ) {}

  /** The longest one that holds a name. Nobody is asked about names that are in none of those that may be changed. */
  async holding(name: string): Promise<Zone | undefined> {
    const isWithin = (zone: string): boolean => name === zone || name.endsWith(`.${zone}`);
    if (this.options.zones && !this.options.zones.some(isWithin)) return undefined;
    const within = (await this.all()).filter((zone) => isWithin(zone.name));
    return within.sort((a, b) => b.name.length - a.name.length)[0];
  }

  async all(): Promise<readonly Zone[]> {
    if (this.known && this.known.until > Date.now()) return this.known.zones;
    const zones = this.read();
    this.known = { zones, until: Date.now() + (this.options.zonesForMs ?? 60_000) };
    return zones.catch((error: unknown) => {
      this.known = undefined;
      throw error;
    });
  }

  /** Only zones that Cloudflare answers for: what is set in another one has no effect. */
  private async read(): Promise<readonly Zone[]> {
    const zones: Zone[] = [];
    const call = { what: 'list the zones that its token may see' };
    for (let page = await this.api.ask(call, (client) => client.zones.list({ status: 'active', per_page: PER_PAGE })); ; page = await this.api.ask(call, () => page.getNextPage())) {
      for (const { id, name, plan } of page.result as readonly ShownZone[]) zones.push({ id, name, hasTags: PAID.has(plan?.legacy_id ?? '') });
      if (page.result.length < PER_PAGE) break;
    }
    const { zones: allowed } = this.options;
    return allowed ? zones.filter(({ name }) => allowed.includes(name)) : zones;
  }
}
