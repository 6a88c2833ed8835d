import type { DataBytes } from '#contracts/gen/hostplane/v1/project.js';
import type { Project, ProjectEvent } from './project.js';

/** What sites have written, by whose data it is. */
export interface Written {
  /** As it was measured last. */
  readonly measured: ReadonlyMap<string, number>;
  /** What sites are going to hold that comes from a backup, by site. */
  readonly expected: ReadonlyMap<string, Expectation>;
  /** Position of the host's record that was taken in last. */
  readonly revision: number;
}

/** Data of a backup, on its way to a site. It counts as the least that there is of it: a measure may have seen half of it. */
interface Expectation {
  readonly bytes: number;
  /** Whose data it is going to be. */
  readonly dataId: string;
  /** Data that it takes the place of, and that is there until then; empty: none. */
  readonly replacedDataId: string;
  /** It has arrived: as soon as it is measured, only that counts. */
  readonly isThere: boolean;
  /** What was expected of the data that it takes the place of, if that was not measured yet. */
  readonly before?: Expectation | undefined;
}

export const unwritten: Written = { measured: new Map(), expected: new Map(), revision: 0 };

const sum = (amounts: Iterable<number>): number => [...amounts].reduce((all, one) => all + one, 0);

export function writtenBytes({ measured, expected }: Written): number {
  const lacking = [...expected.values()].map(({ bytes, dataId, replacedDataId }) => Math.max(0, bytes - (measured.get(dataId) ?? 0) - (measured.get(replacedDataId) ?? 0)));
  return sum(measured.values()) + sum(lacking);
}

/** By how much what counts as written is more after an event than before it. */
export function grownBy(written: Written, event: ProjectEvent): number {
  return writtenBytes(evolveWritten(written, event)) - writtenBytes(written);
}

/** Takes on what a host has measured. Nothing is refused: it is there already. Records that come late, or twice, change nothing. */
export function takeOn({ request, written, status }: Project, data: readonly DataBytes[], revision: number): readonly ProjectEvent[] {
  if (status === 'deleted' || revision <= written.revision || isSame(written.measured, data)) return [];
  const before = writtenBytes(written);
  const after = writtenBytes(withMeasured(written, data, revision));
  return [{ type: 'ProjectMeasured', data: { projectId: request.projectId, data: [...data], writtenBytes: after, grownBy: after - before, revision } }];
}

/** A site's data is to give way to a backup's. For a while both are there; what counts is what there is afterwards, if that is more. */
export function expectData({ request, written }: Project, siteId: string, { bytes, dataId, replacedDataId }: { readonly bytes: number; readonly dataId: string; readonly replacedDataId: string }): readonly ProjectEvent[] {
  if (bytes === 0 || written.expected.get(siteId)?.dataId === dataId) return [];
  const data = { projectId: request.projectId, siteId, bytes, dataId, ...(replacedDataId && { replacedDataId }) };
  return [{ type: 'DataExpected', data: { ...data, grownBy: grownBy(written, { type: 'DataExpected', data }) } }];
}

/** The data that was expected of a site has come, or (`isThere` false) is not going to. */
export function settleExpected({ request, written }: Project, siteId: string, isThere: boolean): readonly ProjectEvent[] {
  const expectation = written.expected.get(siteId);
  if (!expectation || expectation.isThere) return [];
  const ids = { projectId: request.projectId, siteId };
  if (isThere) return [{ type: 'DataArrived', data: { ...ids, grownBy: grownBy(written, { type: 'DataArrived', data: { ...ids, grownBy: 0 } }) } }];
  return [freed(written, { ...ids, dataId: '' })];
}

/** What comes free when a site is gone: what it had written, unless that stays, and what it was still expected to bring. */
export function free({ request, written }: Project, siteId: string, goneDataId: string): readonly ProjectEvent[] {
  if (!written.expected.has(siteId) && !written.measured.get(goneDataId)) return [];
  return [freed(written, { projectId: request.projectId, siteId, dataId: goneDataId })];
}

/** What comes free when data is gone that a destroyed site had left. */
export function freeKept({ request, written, kept }: Project, siteId: string, dataId: string): readonly ProjectEvent[] {
  if (!kept.has(dataId) && !written.measured.get(dataId)) return [];
  return [freed(written, { projectId: request.projectId, siteId, dataId })];
}

function freed(written: Written, data: { readonly projectId: string; readonly siteId: string; readonly dataId: string }): ProjectEvent {
  const bytes = writtenBytes(written) - writtenBytes(evolveWritten(written, { type: 'DataFreed', data: { ...data, bytes: 0 } }));
  return { type: 'DataFreed', data: { ...data, bytes } };
}

export function evolveWritten(written: Written, event: ProjectEvent): Written {
  const { measured, expected } = written;
  switch (event.type) {
    case 'ProjectMeasured':
      return withMeasured(written, event.data.data, event.data.revision);
    case 'DataExpected': {
      const { siteId, bytes, dataId, replacedDataId = '' } = event.data;
      const before = expected.get(siteId);
      // Without a data id it is older than these, and counted until it was measured.
      const expectation = { bytes, dataId: dataId ?? siteId, replacedDataId, isThere: dataId === undefined, ...(before && { before }) };
      return { ...written, expected: new Map(expected).set(siteId, expectation) };
    }
    case 'DataArrived': {
      const expectation = expected.get(event.data.siteId);
      if (!expectation) return written;
      const { before: _, ...arrived } = expectation;
      return { ...written, expected: measured.has(arrived.dataId) ? without(expected, event.data.siteId) : new Map(expected).set(event.data.siteId, { ...arrived, isThere: true }) };
    }
    case 'DataFreed': {
      const before = expected.get(event.data.siteId)?.before;
      const others = without(expected, event.data.siteId);
      return { ...written, measured: without(measured, event.data.dataId), expected: before ? new Map(others).set(event.data.siteId, before) : others };
    }
    default:
      return written;
  }
}

function withMeasured({ expected }: Written, data: readonly DataBytes[], revision: number): Written {
  const measured = new Map(data.map(({ dataId, bytes }) => [dataId, bytes]));
  return { measured, expected: new Map([...expected].filter(([, { isThere, dataId }]) => !(isThere && measured.has(dataId)))), revision };
}

function without<T>(amounts: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  return new Map([...amounts].filter(([one]) => one !== key));
}

function isSame(measured: ReadonlyMap<string, number>, data: readonly DataBytes[]): boolean {
  return measured.size === data.length && data.every(({ dataId, bytes }) => measured.get(dataId) === bytes);
}
