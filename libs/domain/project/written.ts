import type { DataBytes } from '#contracts/gen/hostplane/v1/project.js';
import type { Project, ProjectEvent } from './project.js';

/** What sites have written, by whose data it is. */
export interface Written {
  /** As it was measured last. */
  readonly measured: ReadonlyMap<string, number>;
  /** What sites are going to hold that began with a backup and were not measured yet, by site. */
  readonly expected: ReadonlyMap<string, number>;
  /** Position of the host's record that was taken in last. */
  readonly revision: number;
}

export const unwritten: Written = { measured: new Map(), expected: new Map(), revision: 0 };

const sum = (amounts: Iterable<number>): number => [...amounts].reduce((all, one) => all + one, 0);

export function writtenBytes({ measured, expected }: Written): number {
  return sum(measured.values()) + sum(expected.values());
}

/** Takes on what a host has measured. Nothing is refused: it is there already. Records that come late, or twice, change nothing. */
export function takeOn({ request, written, status }: Project, data: readonly DataBytes[], revision: number): readonly ProjectEvent[] {
  if (status === 'deleted' || revision <= written.revision || isSame(written.measured, data)) return [];
  const before = writtenBytes(written);
  const after = writtenBytes(withMeasured(written, data, revision));
  return [{ type: 'ProjectMeasured', data: { projectId: request.projectId, data: [...data], writtenBytes: after, grownBy: after - before, revision } }];
}

/** What comes free when a site is gone: what it had written, unless that stays, and what it was still expected to bring. */
export function free({ request, written }: Project, siteId: string, goneDataId: string): readonly ProjectEvent[] {
  const bytes = (written.measured.get(goneDataId) ?? 0) + (written.expected.get(siteId) ?? 0);
  return bytes === 0 ? [] : [{ type: 'DataFreed', data: { projectId: request.projectId, siteId, dataId: goneDataId, bytes } }];
}

export function evolveWritten(written: Written, event: ProjectEvent): Written {
  switch (event.type) {
    case 'ProjectMeasured':
      return withMeasured(written, event.data.data, event.data.revision);
    case 'DataExpected':
      return { ...written, expected: new Map(written.expected).set(event.data.siteId, event.data.bytes) };
    case 'DataFreed':
      return { ...written, measured: without(written.measured, event.data.dataId), expected: without(written.expected, event.data.siteId) };
    default:
      return written;
  }
}

/** A new site's data has the site's own id. */
function withMeasured({ expected }: Written, data: readonly DataBytes[], revision: number): Written {
  const measured = new Map(data.map(({ dataId, bytes }) => [dataId, bytes]));
  return { measured, expected: new Map([...expected].filter(([siteId]) => !measured.has(siteId))), revision };
}

function without(amounts: ReadonlyMap<string, number>, key: string): ReadonlyMap<string, number> {
  return new Map([...amounts].filter(([one]) => one !== key));
}

function isSame(measured: ReadonlyMap<string, number>, data: readonly DataBytes[]): boolean {
  return measured.size === data.length && data.every(({ dataId, bytes }) => measured.get(dataId) === bytes);
}
