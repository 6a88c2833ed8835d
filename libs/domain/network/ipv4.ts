/** An IPv4 network as a number and a prefix length. */
export interface Cidr {
  readonly network: number;
  readonly prefix: number;
}

export function parseCidr(text: string): Cidr {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const numbers = (match?.slice(1) ?? []).map(Number);
  const [a = 256, b = 256, c = 256, d = 256, prefix = 33] = numbers;
  if ([a, b, c, d].some((octet) => octet > 255) || prefix > 32) throw new Error(`"${text}" is not an IPv4 network such as 10.77.0.0/16.`);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - prefix);
  if (address % size !== 0) throw new Error(`"${text}" has bits set behind its prefix of ${prefix}.`);
  return { network: address, prefix };
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** The n-th subnet of a pool, from 0; undefined past its end. */
export function nthSubnet(pool: string, prefix: number, n: number): string | undefined {
  const { network, prefix: poolPrefix } = parseCidr(pool);
  if (n < 0 || n >= 2 ** (prefix - poolPrefix)) return undefined;
  return `${formatAddress(network + n * 2 ** (32 - prefix))}/${prefix}`;
}

/** Addresses that may be leased: not the network's own, not the gateway (.1), not the broadcast address. */
export function leasable(subnet: string): { readonly count: number; at(n: number): string } {
  const { network, prefix } = parseCidr(subnet);
  return { count: Math.max(0, 2 ** (32 - prefix) - 3), at: (n) => formatAddress(network + 2 + n) };
}
