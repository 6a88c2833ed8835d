/** IPv4 ranges, as numbers. */
export interface Subnet {
  readonly first: number;
  readonly last: number;
}

/** Reads `10.77.3.0/24`; undefined for what is no IPv4 CIDR. */
export function parseSubnet(cidr: string): Subnet | undefined {
  const [, address, length] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(cidr) ?? [];
  const bytes = address?.split('.').map(Number) ?? [];
  const bits = Number(length);
  if (address === undefined || bits > 32 || bytes.some((b) => b > 255)) return undefined;
  const size = 2 ** (32 - bits);
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const first = value - (value % size);
  return { first, last: first + size - 1 };
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** The first address of a subnet, which its bridge takes. */
export function gatewayOf(cidr: string): string {
  const subnet = parseSubnet(cidr);
  if (!subnet) throw new Error(`"${cidr}" is no IPv4 subnet.`);
  return [24, 16, 8, 0].map((shift) => Math.floor((subnet.first + 1) / 2 ** shift) % 256).join('.');
}

/** The subnets and interfaces of Linux' /proc/net/route, the default route left out. */
export function parseRoutes(text: string): { subnet: Subnet; device: string }[] {
  const rows = text.split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([device, destination, , , , , , mask]) => {
    if (device === undefined || destination === undefined || mask === undefined || mask === '00000000') return [];
    const first = swapped(destination);
    return [{ device, subnet: { first, last: first + (2 ** 32 - 1 - swapped(mask)) } }];
  });
}

/** The kernel prints addresses in the machine's byte order, least byte first on all that we run on. */
function swapped(hex: string): number {
  return Number.parseInt(hex.match(/../g)!.reverse().join(''), 16);
}
