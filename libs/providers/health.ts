import { get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where a workload is asked whether it is healthy. */
export interface HealthProbe {
  readonly address: string;
  readonly port: number;
  /** Must answer 2xx or 3xx; empty: an open port is enough. */
  readonly path: string;
}

const TRY_MS = 2_000;

/** One try, from this host: undefined when healthy, else what was found instead. */
export function probe(target: HealthProbe, signal?: AbortSignal): Promise<string | undefined> {
  return target.path === '' ? probePort(target, signal) : probePath(target, signal);
}

/** Tries until healthy; answers what the last try found when `deadlineMs` is over. `check` runs before each try and may throw. */
export async function waitUntilHealthy(target: HealthProbe, deadlineMs: number, check: () => Promise<void>, signal?: AbortSignal): Promise<string | undefined> {
  const deadline = Date.now() + deadlineMs;
  for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
    await check();
    const found = await probe(target, signal);
    if (found === undefined || Date.now() + wait > deadline) return found;
    await sleep(wait, undefined, { signal });
  }
}

function probePath({ address, port, path }: HealthProbe, signal?: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: address, port, path, agent: false, timeout: TRY_MS, signal }, (response) => {
      const status = response.statusCode ?? 0;
      response.destroy();
      resolve(status >= 200 && status < 400 ? undefined : `GET ${path} on port ${port} answers ${status}`);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TRY_MS / 1000} s`)));
    request.on('error', (error) => resolve(`GET ${path} on port ${port} fails (${error.message})`));
  });
}

function probePort({ address, port }: HealthProbe, signal?: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal });
    const done = (found?: string) => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(TRY_MS, () => done(`port ${port} does not answer`));
    socket.on('connect', () => done());
    socket.on('error', (error) => done(`port ${port} does not open (${error.message})`));
  });
}
