import { describe, expect, it } from '@jest/globals';
import { allowsCustomDomain, allowsDestroy, canMove, isTerminal, siteStatuses } from './status.js';

// One row a status, one column a target, in the order of siteStatuses: x is allowed.
const expected = `
CREATED           .x........x
PROVISIONING      ..x.......x
ACTIVE            ...x....x..
DOMAIN_PENDING    ..x.x.xxx..
DOMAIN_VALIDATING ..xx.xxxx..
DOMAIN_ROUTING    ..xx..xxx..
DOMAIN_ACTIVE     ...x...xx..
DOMAIN_REMOVING   ..xx..x.x..
DESTROYING        .........xx
DESTROYED         ...........
FAILED            .x......x..`;

const rows = expected.trim().split('\n').map((line) => line.split(/\s+/) as [string, string]);
const cells = rows.flatMap(([from, marks]) => siteStatuses.map((to, i) => [from, to, marks[i] === 'x'] as const));

describe('site status', () => {
  it('has a row for every status', () => expect(rows.map(([from]) => from)).toEqual([...siteStatuses]));
  it.each(cells)('%s to %s: %s', (from, to, allowed) => {
    expect(canMove(from as (typeof siteStatuses)[number], to)).toBe(allowed);
  });
  it.each([...siteStatuses])('%s: terminal, custom domain, destroy', (status) => {
    expect([isTerminal(status), allowsCustomDomain(status), allowsDestroy(status)]).toEqual([
      status === 'DESTROYED',
      ['ACTIVE', 'DOMAIN_PENDING', 'DOMAIN_VALIDATING', 'DOMAIN_ROUTING', 'DOMAIN_ACTIVE', 'DOMAIN_REMOVING'].includes(status),
      ['ACTIVE', 'DOMAIN_PENDING', 'DOMAIN_VALIDATING', 'DOMAIN_ROUTING', 'DOMAIN_ACTIVE', 'DOMAIN_REMOVING', 'FAILED'].includes(status),
    ]);
  });
});
