import { join } from 'node:path';
import { ConfigError } from '#boot/config.js';
import type { TunnelProvider } from '#providers/tunnel.js';
import { ownAddressOf } from '#providers/edge/edge-settings.js';
import type { ProvisionerSettings } from './provisioner.config.js';

const CONNECT_TIMEOUT_SECONDS = 10;

/** The tunnel that is configured: by a cloudflared of this host and its file, or one whose configuration Cloudflare keeps; undefined: visitors come straight here. */
export async function chooseTunnel(settings: ProvisionerSettings, tell: (line: string) => void): Promise<TunnelProvider | undefined> {
  const kind = settings.HOSTPLANE_TUNNEL;
  if (kind === 'off') return undefined;
  const given = (name: 'HOSTPLANE_TUNNEL_ID' | 'HOSTPLANE_TUNNEL_ACCOUNT_ID' | 'HOSTPLANE_TUNNEL_API_TOKEN' | 'HOSTPLANE_TUNNEL_CREDENTIALS'): string => {
    const value = settings[name];
    if (!value) throw new ConfigError(`${name} is not set, and HOSTPLANE_TUNNEL is ${kind}: such a tunnel needs both.`);
    return value;
  };
  const service = settings.HOSTPLANE_TUNNEL_SERVICE ?? `http://${ownAddressOf(settings.HOSTPLANE_BIND)}:${settings.HOSTPLANE_EDGE_HTTP_PORT}`;
  const common = { id: given('HOSTPLANE_TUNNEL_ID'), service, connectTimeoutSeconds: CONNECT_TIMEOUT_SECONDS };
  if (kind === 'cloudflare') {
    // Loaded only where it is used: the client is large.
    const [{ CloudflareApi }, { RemoteTunnel }] = await Promise.all([import('#providers/cloudflare/cloudflare-api.js'), import('#providers/cloudflare/remote-tunnel.js')]);
    const api = new CloudflareApi({ token: given('HOSTPLANE_TUNNEL_API_TOKEN'), url: settings.HOSTPLANE_CLOUDFLARE_API_URL, callMs: settings.HOSTPLANE_CLOUDFLARE_TIMEOUT_MS });
    return new RemoteTunnel(api, { ...common, accountId: given('HOSTPLANE_TUNNEL_ACCOUNT_ID') });
  }
  const [{ LocalTunnel }, { OwnTunnel }, { CommandedTunnel }] = await Promise.all([import('#providers/cloudflare/local-tunnel.js'), import('#providers/cloudflare/own-tunnel.js'), import('#providers/cloudflare/tunnel-process.js')]);
  const folder = join(settings.HOSTPLANE_DATA, 'tunnel');
  const { HOSTPLANE_TUNNEL_RESTART: restart, HOSTPLANE_TUNNEL_COMMAND: command, HOSTPLANE_TUNNEL_METRICS: metrics } = settings;
  return new LocalTunnel(
    { ...common, credentialsFile: given('HOSTPLANE_TUNNEL_CREDENTIALS'), metrics, configFile: settings.HOSTPLANE_TUNNEL_CONFIG ?? join(folder, 'config.yml'), readyWithinMs: settings.HOSTPLANE_TUNNEL_READY_SECONDS * 1000 },
    restart === undefined ? new OwnTunnel(command, join(folder, 'cloudflared.pid'), metrics, tell) : new CommandedTunnel(restart, metrics),
    tell,
  );
}
