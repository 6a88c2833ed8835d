import { setTimeout as sleep } from 'node:timers/promises';
import { visit } from '../support/api.js';

const POLL_MS = 5;
const TIMEOUT_MS = 60_000;

/** Visits until the answer is 200; returns how long that took, in milliseconds. The server may be away meanwhile. */
export async function untilServed(url: string): Promise<number> {
  const began = performance.now();
  for (;;) {
    const status = await visit(url).then((reply) => reply.status, (error: Error) => error.message);
    const tookMs = performance.now() - began;
    if (status === 200) return tookMs;
    if (tookMs > TIMEOUT_MS) throw new Error(`${url} does not answer 200 after ${TIMEOUT_MS} ms: ${status}`);
    await sleep(POLL_MS);
  }
}
