import { describe, expect, it } from '@jest/globals';
import { mayBeManaged } from './policy.js';

describe('a name of a zone that the plane keeps', () => {
  const grants = [{ name: 'shop.example.com', projectId: 'p1' }];

  it.each([
    ['itself, to whom it was granted', 'shop.example.com', 'p1', false, true],
    ['and all below it', 'eu.shop.example.com', 'p1', false, true],
    ['not what only ends like it', 'myshop.example.com', 'p1', false, false],
    ['not what is above it', 'example.com', 'p1', false, false],
    ['not another project', 'shop.example.com', 'p2', false, false],
    ['whoever runs the plane takes any', 'example.com', 'p2', true, true],
  ])('is set by the plane for those it was granted to: %s', (_, name, projectId, byOperator, may) => {
    expect(mayBeManaged(name, projectId, byOperator, grants)).toBe(may);
  });

  it('is nobody\'s without a grant', () => {
    expect(mayBeManaged('shop.example.com', 'p1', false, [])).toBe(false);
  });
});
