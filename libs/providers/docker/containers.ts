import type { ContainerInfo } from 'dockerode';
import type { Power } from '../site-runtime.js';
import type { ObservedWorkload } from '../site-runtime.js';
import type { HealthProbe } from '../health.js';
import { LABEL } from './requests.js';

/** A container of a site, as a listing shows it. */
export interface FoundContainer {
  readonly id: string;
  readonly role: string;
  readonly siteId: string;
  readonly projectId: string;
  readonly specHash: string;
  /** As it was called when the container was made, or its id when that name means another one by now. */
  readonly image: string;
  /** The one that made room for another, which is not yet confirmed to be healthy. */
  readonly isOld: boolean;
  readonly running: boolean;
  readonly networkIds: readonly string[];
  readonly probe: HealthProbe;
}

export function foundContainer(info: ContainerInfo): FoundContainer {
  const label = (key: keyof typeof LABEL) => info.Labels[LABEL[key]] ?? '';
  return {
    id: info.Id,
    role: label('role'),
    siteId: label('site'),
    projectId: label('project'),
    specHash: label('spec'),
    image: info.Image,
    isOld: info.Names.some((name) => name.endsWith('-old')),
    running: info.State === 'running',
    networkIds: Object.values(info.NetworkSettings?.Networks ?? {}).map((network) => network.NetworkID),
    probe: { address: label('address'), port: Number(label('port')), path: label('health') },
  };
}

export function observedWorkload(found: FoundContainer, healthy: boolean): ObservedWorkload {
  const { siteId, projectId, specHash, probe, running } = found;
  const power: Power = running ? 'running' : 'stopped';
  return { siteId, projectId, power, healthy, specHash, target: { address: probe.address, port: probe.port, root: '' } };
}

/** Of a site's workload containers, one a site: the one in place, unless only the other runs. */
export function onePerSite(containers: readonly FoundContainer[]): FoundContainer[] {
  const rank = (c: FoundContainer) => (c.running ? 2 : 0) + (c.isOld ? 0 : 1);
  const best = new Map<string, FoundContainer>();
  for (const container of containers) {
    const other = best.get(container.siteId);
    if (!other || rank(container) > rank(other)) best.set(container.siteId, container);
  }
  return [...best.values()];
}
