import { createHash } from 'node:crypto';
import { ProviderError } from '../provider-error.js';
import type { ListedApplication, ListedStack } from './answers.js';
import { readAppMark } from './mark.js';
import type { PortRange } from './settings.js';

/** Host ports of Coolify's mappings, for example 20001 of `20001:80,20002:81`. */
export function hostPorts(mappings: string | null | undefined): number[] {
  return (mappings ?? '').split(',').flatMap((mapping) => (/^\d+:\d+$/.test(mapping) ? [Number(mapping.split(':')[0])] : []));
}

/** Host ports of a compose file, for example 20001 of a line `- 127.0.0.1:20001:80`. */
export function composePorts(compose: string | null | undefined): number[] {
  return [...(compose ?? '').matchAll(/^\s*-\s*["']?(?:[\d.]+:)?(\d+):\d+(?:\/\w+)?["']?\s*$/gm)].map(([, port]) => Number(port));
}

/** What is published by anything that this Coolify knows of; and the ports that edges may still lead to, but for this site's own. */
export function takenPorts(plane: string, siteId: string, applications: readonly ListedApplication[], services: readonly ListedStack[]): Set<number> {
  const reserved = applications.flatMap(({ description }) => {
    const mark = readAppMark(description, plane);
    return mark && mark.site !== siteId ? [mark.spare] : [];
  });
  return new Set([...applications.flatMap(({ ports_mappings }) => hostPorts(ports_mappings)), ...reserved, ...services.flatMap(({ docker_compose_raw }) => composePorts(docker_compose_raw))]);
}

/** The port that is a site's own by its id, or the next one that is free: the same world gives the same port. */
export function choosePort(siteId: string, { first, last }: PortRange, taken: ReadonlySet<number>): number {
  const size = last - first + 1;
  const start = createHash('sha256').update(siteId).digest().readUInt32BE() % size;
  for (let i = 0; i < size; i++) {
    const port = first + ((start + i) % size);
    if (!taken.has(port)) return port;
  }
  throw new ProviderError(`All ${size} ports from ${first} to ${last} of the Coolify server are taken: set COOLIFY_PORTS to a wider range.`, false);
}
