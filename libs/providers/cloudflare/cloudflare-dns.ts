import type { DnsProvider, DnsRecordWish } from '../dns.js';
import { ProviderError } from '../provider-error.js';
import { LookAgain, type CloudflareApi } from './cloudflare-api.js';
import { bodyOf, isOurs, isSame, markOf, planFor, wishOf, type Plan, type ShownRecord } from './requests.js';
import { PER_PAGE, Zones, type Zone, type ZonesOptions } from './zones.js';

export interface CloudflareDnsOptions extends ZonesOptions {
  /** Id that this plane's records bear. */
  readonly plane: () => Promise<string>;
}

/** A zone is looked at before each change and after it: this often somebody else may be quicker. */
const LOOKS = 6;
/** So many answers to what makes a record may be lost: each may have taken all the time that a call has, and somebody waits to read why. */
const LOST = 2;

/** Records in zones at Cloudflare. A zone is looked at, changed, and looked at again until it is as it should be. */
export class CloudflareDns implements DnsProvider {
  readonly name = 'cloudflare';
  private readonly zones: Zones;

  constructor(
    private readonly api: CloudflareApi,
    private readonly options: CloudflareDnsOptions,
  ) {
    this.zones = new Zones(api, options);
  }

  async zoneOf(name: string): Promise<string | undefined> {
    return (await this.zones.holding(name))?.name;
  }

  async ensure(wish: DnsRecordWish): Promise<void> {
    const [zone, plane] = await Promise.all([this.zones.holding(wish.name), this.options.plane()]);
    if (!zone) throw new ProviderError(`The ${wish.type} record ${wish.name} cannot be made: it is in no zone that this plane may change.`, false);
    let last: LookAgain | undefined;
    let lost = 0;
    for (let look = 1; look <= LOOKS; look++) {
      const plan = planFor(wish, await this.recordsAt(zone, wish.name), plane);
      if (plan.kind === 'nothing') return;
      last = await this.send(zone, wish, plan, plane).then(() => undefined, lookAgain);
      if (last?.retryable && ++lost === LOST) break;
    }
    throw last ?? new ProviderError(`The ${wish.type} record ${wish.name} in ${zone.name} is changed by somebody else again and again.`, true);
  }

  async remove(wish: DnsRecordWish): Promise<void> {
    const [zone, plane] = await Promise.all([this.zones.holding(wish.name), this.options.plane()]);
    if (!zone) return;
    const what = `remove the ${wish.type} record ${wish.name}`;
    for (let look = 1; look <= LOOKS; look++) {
      const ours = (await this.recordsAt(zone, wish.name)).filter((record) => isOurs(record, plane) && isSame(record, wish));
      if (ours.length === 0) return;
      for (const { id } of ours) await this.api.ask({ what, changes: 'delete-record' }, ({ dns }) => dns.records.delete(id, { zone_id: zone.id })).catch(lookAgain);
    }
    throw new ProviderError(`The ${wish.type} record ${wish.name} in ${zone.name} is there again and again after it was removed.`, true);
  }

  async list(name: string): Promise<readonly DnsRecordWish[]> {
    const zone = (await this.zones.all()).find((one) => one.name === name);
    if (!zone) return [];
    const plane = await this.options.plane();
    const ours = await this.records(zone, `list the records of ${name}`, { comment: { startswith: markOf(plane) } });
    return ours.filter((record) => isOurs(record, plane)).flatMap((record) => wishOf(record) ?? []);
  }

  private recordsAt(zone: Zone, name: string): Promise<readonly ShownRecord[]> {
    return this.records(zone, `look at the records of ${name}`, { name: { exact: name } });
  }

  private async records(zone: Zone, what: string, filter: object): Promise<readonly ShownRecord[]> {
    const found: ShownRecord[] = [];
    for (let page = await this.api.ask({ what }, ({ dns }) => dns.records.list({ zone_id: zone.id, per_page: PER_PAGE, ...filter })); ; page = await this.api.ask({ what }, () => page.getNextPage())) {
      found.push(...(page.result as ShownRecord[]));
      if (page.result.length < PER_PAGE) return found;
    }
  }

  private async send(zone: Zone, wish: DnsRecordWish, plan: Exclude<Plan, { kind: 'nothing' }>, plane: string): Promise<void> {
    const body = { zone_id: zone.id, ...bodyOf(wish, plane, zone.hasTags) };
    const what = `set the ${wish.type} record ${wish.name}`;
    if (plan.kind === 'create') await this.api.ask({ what, changes: 'create-record', isCreation: true }, ({ dns }) => dns.records.create(body));
    else await this.api.ask({ what, changes: 'change-record' }, ({ dns }) => dns.records.edit(plan.id, body));
  }
}

/** Somebody was quicker, or the answer was lost: the zone itself says what is so. */
function lookAgain(error: unknown): LookAgain {
  if (error instanceof LookAgain) return error;
  throw error;
}
