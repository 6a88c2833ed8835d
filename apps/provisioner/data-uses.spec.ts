import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { wordpressDatabase } from '#domain/naming/naming.js';
import type { Volume } from '#providers/site-storage.js';
import { dataUses } from './data-uses.js';

const [a, b] = [randomUUID(), randomUUID()];
const volume = (dataId: string, projectId: string, bytes: number, role: Volume['role'] = 'data', name = `v-${dataId}`): Volume => ({ name, projectId, dataId, role, path: '/data', bytes });
const use = (dataId: string, bytes: number) => ({ name: `v-${dataId}`, dataId, role: 'data', bytes });
const database = (dataId: string, bytes: number) => ({ name: wordpressDatabase(dataId), dataId, role: 'database', bytes });
const sizes = (isWhole: boolean, ...known: [string, number][]) => ({ isWhole, bytes: new Map(known.map(([dataId, bytes]) => [wordpressDatabase(dataId), bytes])) });
const byName = <T extends { name: string }>(...uses: T[]) => uses.sort((x, y) => (x.name < y.name ? -1 : 1));

describe('what sites keep themselves', () => {
  it('is their volumes and the databases that go with them, by project, and no release', () => {
    const uses = dataUses([volume(a, 'p', 5), volume(b, 'q', 7), volume(a, 'p', 9, 'release', 'web')], sizes(true, [a, 3], [randomUUID(), 99]), () => []);
    expect(Object.fromEntries(uses)).toEqual({ p: byName<object & { name: string }>(use(a, 5), database(a, 3)), q: [use(b, 7)] });
  });
  it('has the database as it was recorded while its server does not answer, and no database that is gone', () => {
    const recorded = () => [database(a, 3)];
    expect(dataUses([volume(a, 'p', 5)], sizes(false), recorded).get('p')).toEqual(byName<object & { name: string }>(use(a, 5), database(a, 3)));
    expect(dataUses([volume(a, 'p', 5)], sizes(true), recorded).get('p')).toEqual([use(a, 5)]);
    expect(dataUses([volume(b, 'p', 5)], sizes(false), recorded).get('p')).toEqual([use(b, 5)]);
  });
});
