import { randomUUID } from 'node:crypto';
import { failure } from './cloudflare-spec.js';
import type { Answered, Operation } from './described-api.js';

interface Rule {
  readonly hostname?: string;
  readonly service: string;
  readonly path?: string;
}

interface TunnelRow {
  readonly id: string;
  readonly accountId: string;
  readonly isRemote: boolean;
  deletedAt: string | null;
  version: number;
  config: { ingress: readonly Rule[]; originRequest?: { connectTimeout?: number } } | null;
}

const SINCE = '2026-01-01T00:00:00.000000Z';

/** Tunnels and their remotely managed configurations, with what Cloudflare refuses of them. */
export class CloudflareTunnels {
  readonly tunnels = new Map<string, TunnelRow>();

  add({ isRemote = true, accountId = 'c'.repeat(32) }: { isRemote?: boolean; accountId?: string } = {}): TunnelRow {
    const tunnel: TunnelRow = { id: randomUUID(), accountId, isRemote, deletedAt: null, version: 0, config: null };
    this.tunnels.set(tunnel.id, tunnel);
    return tunnel;
  }

  operations(): Record<string, Operation> {
    return {
      'cloudflare-tunnel-get-a-cloudflare-tunnel': this.of(({ id, accountId, isRemote, deletedAt }) =>
        ok({ id, account_tag: accountId, name: 'a tunnel', created_at: SINCE, deleted_at: deletedAt, remote_config: isRemote, status: 'healthy', tun_type: 'cfd_tunnel', connections: [], metadata: {} })),
      'cloudflare-tunnel-configuration-get-configuration': this.of((tunnel) => ok(shown(tunnel))),
      'cloudflare-tunnel-configuration-put-configuration': this.of((tunnel, { body }) => {
        const { config } = body as { config: NonNullable<TunnelRow['config']> };
        const wrong = complaint(config.ingress);
        if (wrong) return failure(400, 1_056, `Bad Configuration: ${wrong}`);
        tunnel.config = config;
        tunnel.version++;
        return ok(shown(tunnel));
      }),
    };
  }

  private of(work: (tunnel: TunnelRow, asked: Parameters<Operation>[0]) => Answered): Operation {
    return (asked) => {
      const tunnel = this.tunnels.get(asked.params['tunnel_id']!);
      return tunnel?.accountId === asked.params['account_id'] ? work(tunnel!, asked) : failure(404, 1_003, 'Tunnel not found');
    };
  }
}

function complaint(ingress: readonly Rule[]): string | undefined {
  const last = ingress.at(-1);
  if (!last || (last.hostname ?? '') !== '' || (last.path ?? '') !== '') return 'The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)';
  const service = ingress.map((rule) => rule.service).find((one) => !/^http_status:[1-5][0-9]{2}$/.test(one) && !/^[a-z+]+:\/\/[^/]+$/.test(one));
  return service === undefined ? undefined : `${service} is an invalid address`;
}

const ok = (result: object): Answered => ({ status: 200, body: { success: true, errors: [], messages: [], result } });
const shown = ({ id, accountId, isRemote, version, config }: TunnelRow): object => ({ tunnel_id: id, account_id: accountId, source: isRemote ? 'cloudflare' : 'local', version, config, created_at: SINCE });
