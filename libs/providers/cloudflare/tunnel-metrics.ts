import type { IngressRule } from './tunnel-config.js';

/** What a cloudflared says of itself. */
export interface SaidOfTunnel {
  /** It is connected to Cloudflare's network. */
  readonly isReady: boolean;
  readonly rules: readonly IngressRule[];
}

/** Where two that take turns tell how they are: the address that was given, and its next port. */
export function metricsPair(first: string): readonly [string, string] {
  const at = first.lastIndexOf(':');
  return [first, `${first.slice(0, at)}:${Number(first.slice(at + 1)) + 1}`];
}

const ANSWER_TIMEOUT_MS = 1_000;

/** Asks a cloudflared at its metrics address (`/ready` and `/config`); undefined when nobody answers. */
export async function askTunnel(metrics: string): Promise<SaidOfTunnel | undefined> {
  try {
    const [ready, config] = await Promise.all(['ready', 'config'].map((path) => fetch(`http://${metrics}/${path}`, { redirect: 'error', signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })));
    const { readyConnections = 0 } = (await ready!.json()) as { readyConnections?: number };
    const said = (await config!.json()) as { config?: { ingress?: readonly IngressRule[] } };
    return { isReady: ready!.status === 200 && readyConnections > 0, rules: said.config?.ingress ?? [] };
  } catch {
    return undefined;
  }
}
