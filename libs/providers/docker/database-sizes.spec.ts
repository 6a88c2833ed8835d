import { expect, it } from '@jest/globals';
import { sizesOf } from './database-sizes.js';

it('reads the sizes of the databases that are ours', () => {
  expect(Object.fromEntries(sizesOf('696\thp_abcdefghijklmnopqrstuvwxyz/\n4\thp_a2/\n99\tmysql/\nnot a line\n'))).toEqual({ hp_abcdefghijklmnopqrstuvwxyz: 696 * 1024, hp_a2: 4096 });
  expect(sizesOf('')).toEqual(new Map());
});
