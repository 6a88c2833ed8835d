import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { visit, type Reply } from '../support/api.js';
import type { Plane } from '../support/plane.js';
import { restMs } from '../support/rest.js';

const WITHIN_MS = 90_000;

/** Asks until there is an answer, with one idempotency key: what a careful client does while processes die. */
export async function ask<T = Record<string, unknown>>(plane: Plane, method: string, path: string, body?: unknown): Promise<Reply<T>> {
  const headers = { 'idempotency-key': randomUUID() };
  for (const end = Date.now() + WITHIN_MS; ; await sleep(50)) {
    const reply = await plane.api.call<T>(method, path, body, headers).catch(() => undefined);
    if (reply && reply.status < 500) return reply;
    if (Date.now() > end) throw new Error(`${method} ${path} is not answered: ${JSON.stringify(reply?.body)}\n${await plane.complaints()}`);
  }
}

/** Waits until it is so; a question that fails is asked again. `what` may be told in the end, with what was seen last. */
export async function comes(plane: Plane, what: string | (() => string), isSo: () => Promise<boolean>, withinMs = WITHIN_MS): Promise<void> {
  for (const began = Date.now(); Date.now() < began + withinMs; await sleep(restMs(began))) if (await isSo().catch(() => false)) return;
  throw new Error(`It never came so: ${typeof what === 'string' ? what : what()}.\n${await plane.complaints()}`);
}

/** Whoever died last may be starting still: waits until the API and the edge answer. */
export function isBack(plane: Plane): Promise<void> {
  return comes(plane, 'the API and the edge answer', async () => (await plane.api.call('GET', '/health/ready')).status === 200 && (await visit(`http://127.0.0.1:${plane.edgePort}/`)).status > 0);
}
