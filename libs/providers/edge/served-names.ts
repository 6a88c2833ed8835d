import type { RouteTable } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { isHostname } from './route-table.js';

/** Which certificate each name is served with, in the order of the names. Of two for one name the later one in the table counts. Refuses what is no name. */
export function certificateByName({ certificates = [] }: RouteTable): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const { certificateId, hostnames } of certificates) {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(certificateId)) throw new ProviderError(`${JSON.stringify(certificateId).slice(0, 80)} is not the id of a certificate: the edge keeps what it served.`, false);
    for (const name of hostnames) {
      if (!isHostname(name.replace(/^\*\./, ''))) throw new ProviderError(`The certificate ${certificateId} is to be served for ${JSON.stringify(name).slice(0, 120)}, which is no name: the edge keeps what it served.`, false);
      all.set(name, certificateId);
    }
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The certificate for a name that a visitor asks for: its own, or that of the wildcard one label above. */
export function certificateFor(byName: ReadonlyMap<string, string>, asked: string): string | undefined {
  const name = asked.toLowerCase();
  return byName.get(name) ?? byName.get(`*${name.slice(name.indexOf('.'))}`);
}
