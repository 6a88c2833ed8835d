import { readFileSync } from 'node:fs';
import { overlaps, parseRoutes, parseSubnet } from '#providers/docker/subnets.js';

const LANES = 4;
const POOLS = 40;

const lane = Number(process.env['JEST_WORKER_ID'] ?? 0) % LANES;
const taken = parseRoutes(routes());
const free = Array.from({ length: POOLS }, (_, n) => `10.${80 + LANES * n + lane}.0.0/16`).filter((pool) => !taken.some(({ subnet }) => overlaps(subnet, parseSubnet(pool)!)));

/** A range of addresses for the networks of a spec's planes, one after the other. Those of specs that run abreast never meet, of runs beside each other hardly, and none leads elsewhere from this machine. */
export const networkPool = free[Math.floor(Math.random() * free.length)]!;

function routes(): string {
  try {
    return readFileSync('/proc/net/route', 'utf8');
  } catch {
    return '';
  }
}
