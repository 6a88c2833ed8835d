const LANES = 4;
const POOLS = 40;

const lane = Number(process.env['JEST_WORKER_ID'] ?? 0) % LANES;

/** A range of addresses for the networks of a spec's planes, one after the other. Those of specs that run abreast never meet, and of runs beside each other hardly. */
export const networkPool = `10.${80 + LANES * Math.floor(Math.random() * POOLS) + lane}.0.0/16`;
