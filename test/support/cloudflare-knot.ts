import type { CloudflareStandIn } from './cloudflare-stand-in.js';
import type { RecordRow, ZoneRow } from './cloudflare-zones.js';
import type { Knot } from './knot.js';

/** What visitors are shown of a name that is proxied: one of Cloudflare's own addresses. */
const PROXY = '104.16.132.229';

/** Has a real name server answer what is in the zones, as Cloudflare's own do: a request that changes a record is answered when the name server knows. */
export function feed({ zones }: CloudflareStandIn, knot: Knot): void {
  const told = new Map<string, ReadonlyMap<string, readonly string[]>>();
  zones.onChange = async (zone: ZoneRow) => {
    const [before, after] = [told.get(zone.id) ?? new Map<string, readonly string[]>(), setsOf(zone)];
    told.set(zone.id, after);
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter((owner) => String(before.get(owner)) !== String(after.get(owner)));
    const gone = changed.filter((owner) => before.has(owner));
    if (gone.length > 0) await knot.unset(zone.name, ...gone);
    const come = changed.flatMap((owner) => (after.get(owner) ?? []).map((data) => `${owner} ${data}`));
    if (come.length > 0) await knot.set(zone.name, ...come);
  };
}

/** By `<name>. <type>`, what that name has of that type. */
function setsOf({ records }: ZoneRow): ReadonlyMap<string, readonly string[]> {
  const sets = new Map<string, string[]>();
  for (const record of records.values()) {
    const [type, data] = shown(record);
    const owner = `${record.name}. ${type}`;
    sets.set(owner, [...new Set([...(sets.get(owner) ?? []), data])].sort());
  }
  return sets;
}

function shown({ type, content, proxied }: RecordRow): readonly [string, string] {
  if (proxied) return ['A', PROXY];
  return [type, type === 'CNAME' ? `${content}.` : content];
}
