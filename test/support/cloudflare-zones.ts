import { randomBytes } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { failure } from './cloudflare-spec.js';
import type { Answered, Operation } from './described-api.js';

export interface RecordRow {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly content: string;
  readonly ttl: number;
  readonly proxied: boolean;
  readonly comment: string | null;
  readonly tags: readonly string[];
}

export interface ZoneRow {
  readonly id: string;
  readonly name: string;
  readonly plan: string;
  readonly status: 'active' | 'pending';
  readonly records: Map<string, RecordRow>;
}

const LEADING = ['A', 'AAAA', 'CNAME'];
const SINCE = '2026-01-01T00:00:00.000000Z';
const publicId = (): string => randomBytes(16).toString('hex');

/** Zones and their records as Cloudflare keeps them: its rules about what may stand beside what, its ways to write a value, its pages. */
export class CloudflareZones {
  readonly zones = new Map<string, ZoneRow>();
  /** Called after each change and before it is answered. */
  onChange: (zone: ZoneRow) => Promise<void> | void = () => undefined;
  private pending: Promise<void> = Promise.resolve();

  add(name: string, { plan = 'free', status = 'active' }: Partial<Pick<ZoneRow, 'plan' | 'status'>> = {}): ZoneRow {
    const zone: ZoneRow = { id: publicId(), name, plan, status, records: new Map() };
    this.zones.set(zone.id, zone);
    return zone;
  }

  named(name: string): ZoneRow {
    return [...this.zones.values()].find((zone) => zone.name === name)!;
  }

  /** The zone that a name belongs to. */
  holding(name: string): ZoneRow | undefined {
    return [...this.zones.values()].filter((zone) => name === zone.name || name.endsWith(`.${zone.name}`)).sort((a, b) => b.name.length - a.name.length)[0];
  }

  /** All records of all zones, ours and others'. */
  all(): RecordRow[] {
    return [...this.zones.values()].flatMap(({ records }) => [...records.values()]);
  }

  /** Makes a record by hand, in the zone that it belongs to. */
  plant(record: Partial<RecordRow> & Pick<RecordRow, 'type' | 'name' | 'content'>): RecordRow {
    const zone = this.holding(record.name)!;
    const row: RecordRow = { id: publicId(), ttl: 1, proxied: false, comment: null, tags: [], ...record };
    zone.records.set(row.id, row);
    this.changed(zone);
    return row;
  }

  /** Removes by hand what was made by hand. */
  withdraw({ id }: RecordRow): void {
    for (const zone of this.zones.values()) if (zone.records.delete(id)) this.changed(zone);
  }

  /** Until everybody has been told of every change. */
  settled(): Promise<void> {
    return this.pending;
  }

  operations(): Record<string, Operation> {
    return {
      'zones-get': ({ query }) => page([...this.zones.values()].filter(({ name, status }) => [name, undefined].includes(query['name']) && [status, undefined].includes(query['status'] as ZoneRow['status'])).map(shownZone), query, 20),
      'dns-records-for-a-zone-list-dns-records': this.within((zone, { query }) => page([...zone.records.values()].filter((record) => fits(record, query)).map(shownRecord), query, 100)),
      'dns-records-for-a-zone-create-dns-record': this.within((zone, { body }) => this.put(zone, { ttl: 1, proxied: false, comment: null, tags: [], ...(body as Pick<RecordRow, 'type' | 'name' | 'content'>), id: publicId() })),
      'dns-records-for-a-zone-patch-dns-record': this.within((zone, { body, params }) => {
        const there = zone.records.get(params['dns_record_id']!);
        return there ? this.put(zone, { ...there, ...(body as object), id: there.id }) : failure(404, 81_044, 'Record does not exist.');
      }),
      'dns-records-for-a-zone-delete-dns-record': this.within((zone, { params }) => {
        const id = params['dns_record_id']!;
        if (!zone.records.delete(id)) return failure(404, 81_044, 'Record does not exist.');
        this.changed(zone);
        return { status: 200, body: { result: { id } } };
      }),
    };
  }

  private within(work: (zone: ZoneRow, asked: Parameters<Operation>[0]) => Answered): Operation {
    return (asked) => {
      const zone = this.zones.get(asked.params['zone_id']!);
      return zone ? work(zone, asked) : failure(403, 9_109, 'Unauthorized to access requested resource');
    };
  }

  private put(zone: ZoneRow, wanted: RecordRow): Answered {
    const { type, name, content, comment, tags, ttl } = wanted;
    if (name !== zone.name && !name.endsWith(`.${zone.name}`)) return failure(400, 9_000, 'DNS name is invalid.');
    if ((type === 'A' && !isIPv4(content)) || (type === 'AAAA' && !isIPv6(content))) return failure(400, 9_005, `Content for ${type} record is invalid.`);
    if (type === 'CNAME' && content === name) return failure(400, 9_039, 'CNAME content cannot reference itself.');
    if ((comment?.length ?? 0) > 100) return failure(400, 9_034, 'The comment is too long.');
    if (tags.length > 0 && zone.plan === 'free') return failure(400, 9_300, 'DNS record has 1 tags, exceeding the quota of 0.');
    const row: RecordRow = { ...wanted, content: type === 'AAAA' ? ipaddr.parse(content).toString() : content, ttl: wanted.proxied ? 1 : ttl };
    const others = [...zone.records.values()].filter((record) => record.name === name && record.id !== row.id);
    if (others.some((record) => record.type === type && record.content === row.content)) return failure(400, 81_058, 'An identical record already exists.');
    if (type === 'CNAME' && others.some((record) => LEADING.includes(record.type))) return failure(400, 81_053, 'An A, AAAA, or CNAME record with that host already exists.');
    if (['A', 'AAAA'].includes(type) && others.some((record) => record.type === 'CNAME')) return failure(400, 81_054, 'A CNAME record with that host already exists.');
    zone.records.set(row.id, row);
    this.changed(zone);
    return { status: 200, body: { success: true, errors: [], messages: [], result: shownRecord(row) } };
  }

  private changed(zone: ZoneRow): void {
    this.pending = this.pending.then(() => this.onChange(zone));
  }
}

function fits(record: RecordRow, query: Readonly<Record<string, string>>): boolean {
  const begins = query['comment.startswith']?.toLowerCase();
  return [record.name, undefined].includes(query['name.exact']) && [record.type, undefined].includes(query['type']) && (begins === undefined || (record.comment ?? '').toLowerCase().startsWith(begins));
}

function page(items: readonly unknown[], query: Readonly<Record<string, string>>, size: number): Answered {
  const [number, perPage] = [Number(query['page'] ?? 1), Number(query['per_page'] ?? size)];
  const result = items.slice((number - 1) * perPage, number * perPage);
  return { status: 200, body: { success: true, errors: [], messages: [], result, result_info: { page: number, per_page: perPage, count: result.length, total_count: items.length } } };
}

function shownZone({ id, name, plan, status }: ZoneRow): object {
  return {
    id, name, status, plan: { id: plan, legacy_id: plan, name: plan }, development_mode: 0, owner: { id: 'b'.repeat(32), type: 'user', name: 'Example' }, account: { id: 'a'.repeat(32), name: 'Example' }, meta: {},
    name_servers: ['bob.ns.cloudflare.com', 'lola.ns.cloudflare.com'], original_name_servers: null, original_registrar: null, original_dnshost: null, created_on: SINCE, modified_on: SINCE, activated_on: SINCE,
  };
}

const shownRecord = (row: RecordRow): object => ({ ...row, proxiable: LEADING.includes(row.type), meta: {}, settings: {}, created_on: SINCE, modified_on: SINCE });
