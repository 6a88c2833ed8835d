import { describe, expect, it } from '@jest/globals';
import { gatewayOf, overlaps, parseRoutes, parseSubnet } from './subnets.js';

const overlap = (a: string, b: string) => overlaps(parseSubnet(a)!, parseSubnet(b)!);

describe('subnets', () => {
  it.each([['10.77.3.0/24', '10.77.0.0/16', true], ['10.77.3.0/24', '10.77.4.0/24', false], ['10.77.3.0/24', '10.77.3.255/32', true], ['0.0.0.0/0', '10.0.0.0/8', true], ['192.168.0.0/16', '10.0.0.0/8', false]])(
    '%s and %s overlap: %p', (a, b, expected) => expect([overlap(a, b), overlap(b, a)]).toEqual([expected, expected]),
  );
  it('have their gateway at their first address', () => {
    expect([gatewayOf('10.77.3.0/24'), gatewayOf('10.77.3.128/25'), gatewayOf('172.16.0.0/12')]).toEqual(['10.77.3.1', '10.77.3.129', '172.16.0.1']);
  });
  it.each(['', 'fd00::/64', '10.0.0.0', '10.0.0.0/33', '10.0.0.256/8', 'x/8'])('are not found in %j', (text) => expect(parseSubnet(text)).toBeUndefined());
  it('are read from the kernel, the default route left out', () => {
    const text = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\neth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\nbr-1\t00034D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n';
    expect(parseRoutes(text)).toEqual([{ device: 'br-1', subnet: parseSubnet('10.77.3.0/24') }]);
    expect(parseRoutes('')).toEqual([]);
  });
});
