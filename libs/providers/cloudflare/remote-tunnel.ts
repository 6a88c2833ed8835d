import { ProviderError } from '../provider-error.js';
import type { AppliedTunnel, TunnelProvider, TunnelTable } from '../tunnel.js';
import type { CloudflareApi } from './cloudflare-api.js';
import { areSameRules, hostnamesOf, remoteConfigOf, type IngressRule, type TunnelOrigin } from './tunnel-config.js';

export interface RemoteTunnelOptions extends TunnelOrigin {
  readonly id: string;
  readonly accountId: string;
}

/** A tunnel whose configuration is kept at Cloudflare; its cloudflared runs wherever somebody has put it, with the tunnel's token. */
export class RemoteTunnel implements TunnelProvider {
  readonly name = 'cloudflare';
  readonly id: string;
  private revision = 0;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly api: CloudflareApi,
    private readonly options: RemoteTunnelOptions,
  ) {
    this.id = options.id;
  }

  /** Sees that the tunnel is there and is kept where we change it: one with a file of its own would ignore what is said here. */
  async start(): Promise<void> {
    const { accountId, id } = this.options;
    const tunnel = (await this.api.ask({ what: `look at the tunnel ${id}` }, ({ zeroTrust }) => zeroTrust.tunnels.cloudflared.get(id, { account_id: accountId }))) as { deleted_at?: string | null; remote_config?: boolean; config_src?: string };
    if (tunnel.deleted_at) throw new ProviderError(`The tunnel ${id} was deleted at ${tunnel.deleted_at}: set HOSTPLANE_TUNNEL_ID to one that is there.`, false);
    if (tunnel.remote_config === false || tunnel.config_src === 'local') throw new ProviderError(`The tunnel ${id} is configured by a file on its host: set HOSTPLANE_TUNNEL=local, or move it to Cloudflare's dashboard.`, false);
  }

  apply(table: TunnelTable): Promise<AppliedTunnel> {
    const applied = this.tail.then(() => this.applyAlone(table));
    this.tail = applied.catch(() => undefined);
    return applied;
  }

  async served(): Promise<AppliedTunnel | undefined> {
    return { hostnames: hostnamesOf(await this.rules(), this.options) };
  }

  /** The tunnel is not ours to end: whoever runs its cloudflared does. */
  async stop(): Promise<void> {
    await this.tail;
  }

  private async applyAlone(table: TunnelTable): Promise<AppliedTunnel> {
    const { accountId, id } = this.options;
    const config = remoteConfigOf(table, this.options);
    const there = await this.rules();
    if (table.revision < this.revision) return { hostnames: hostnamesOf(there, this.options) };
    const foreign = there.find(({ hostname = '', service }) => hostname !== '' && service !== this.options.service);
    if (foreign) throw new ProviderError(`The tunnel ${id} leads ${foreign.hostname} to ${foreign.service}, which this plane did not make and does not replace: give it a tunnel of its own.`, false);
    if (!areSameRules(there, config.ingress)) {
      // The client's type wants a hostname in each rule, which the catch-all has none of.
      const body = { account_id: accountId, config: config as unknown as { ingress: { hostname: string; service: string }[] } };
      await this.api.ask({ what: `change the configuration of the tunnel ${id}`, changes: 'put-tunnel' }, ({ zeroTrust }) => zeroTrust.tunnels.cloudflared.configurations.update(id, body));
      if (!areSameRules(await this.rules(), config.ingress)) throw new ProviderError(`The configuration of the tunnel ${id} is not the one that was put there: somebody else changes it, too.`, true);
    }
    this.revision = table.revision;
    return { hostnames: hostnamesOf(config.ingress, this.options) };
  }

  private async rules(): Promise<readonly IngressRule[]> {
    const { accountId, id } = this.options;
    const { config } = await this.api.ask({ what: `look at the configuration of the tunnel ${id}` }, ({ zeroTrust }) => zeroTrust.tunnels.cloudflared.configurations.get(id, { account_id: accountId }));
    return config?.ingress ?? [];
  }
}
