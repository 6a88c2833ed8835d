const LANES = 4;
const POOLS = 40;

/** A range of addresses for the networks of one plane. Those of specs that run abreast never meet, and of runs beside each other hardly. */
export function networkPool(): string {
  const lane = Number(process.env['JEST_WORKER_ID'] ?? 0) % LANES;
  return `10.${80 + LANES * Math.floor(Math.random() * POOLS) + lane}.0.0/16`;
}
