import { join } from 'node:path';
import { cloudflareRanges } from '#providers/cloudflare/ranges.js';
import type { EdgeProvider } from '#providers/edge.js';
import { ownAddressOf, type EdgeSettings } from '#providers/edge/edge-settings.js';
import { EmbeddedEdge } from '#providers/embedded-edge/embedded-edge.js';
import { LocalNginx } from '#providers/nginx/local-nginx.js';
import { NginxEdge } from '#providers/nginx/nginx-edge.js';
import type { ProvisionerSettings } from './provisioner.config.js';
import { sitesFolder } from './runtimes.module.js';

/** The edge that is configured, or the first that this machine can run: nginx by its binary, nginx in a container, the embedded one. */
export async function chooseEdge(settings: ProvisionerSettings, planeId: string, log: (line: string) => void): Promise<EdgeProvider> {
  const edge: EdgeSettings = {
    planeId,
    folder: join(settings.HOSTPLANE_DATA, 'edge'),
    sitesFolder: sitesFolder(settings),
    bind: settings.HOSTPLANE_BIND,
    httpPort: settings.HOSTPLANE_EDGE_HTTP_PORT,
    httpsPort: settings.HOSTPLANE_EDGE_HTTPS_PORT,
    baseDomain: settings.HOSTPLANE_BASE_DOMAIN,
    maxBodyBytes: settings.HOSTPLANE_EDGE_MAX_BODY_BYTES,
    proxyRanges: settings.HOSTPLANE_PROXY_RANGES ?? [...cloudflareRanges, ...ownTunnel(settings)],
    proxyProtocol: settings.HOSTPLANE_EDGE_PROXY_PROTOCOL === 'on',
    log,
  };
  return withFeatures(await firstOf(settings, edge, log), edge);
}

/** Where a cloudflared of this host comes from: it alone knows its visitors. */
function ownTunnel({ HOSTPLANE_TUNNEL, HOSTPLANE_BIND }: ProvisionerSettings): readonly string[] {
  if (HOSTPLANE_TUNNEL !== 'local') return [];
  const address = ownAddressOf(HOSTPLANE_BIND);
  return [`${address}/${address.includes(':') ? 128 : 32}`];
}

/** An edge that cannot do what is configured is no edge to start. */
function withFeatures(provider: EdgeProvider, { proxyProtocol = false }: EdgeSettings): EdgeProvider {
  if (!proxyProtocol || provider.features.proxyProtocol) return provider;
  throw new Error(`HOSTPLANE_EDGE_PROXY_PROTOCOL is on, and the edge "${provider.name}" does not speak it: install nginx, or set it to off.`);
}

async function firstOf(settings: ProvisionerSettings, edge: EdgeSettings, log: (line: string) => void): Promise<EdgeProvider> {
  const known = {
    nginx: async () => new NginxEdge(edge, new LocalNginx(edge)),
    'nginx-container': () => containerEdge(edge, settings.HOSTPLANE_NGINX_IMAGE),
    embedded: async () => new EmbeddedEdge(edge),
  };
  if (settings.HOSTPLANE_EDGE !== 'auto') return known[settings.HOSTPLANE_EDGE]();
  for (const make of settings.HOSTPLANE_DOCKER === 'off' ? [known.nginx] : [known.nginx, known['nginx-container']]) {
    const candidate = await make();
    const reason = await candidate.available();
    if (reason === true) return candidate;
    log(`The edge "${candidate.name}" is not used: ${reason}.`);
  }
  return known.embedded();
}

async function containerEdge(edge: EdgeSettings, image: string): Promise<NginxEdge> {
  // Loaded only where it is used: the client of the engine is large.
  const { ContainerNginx } = await import('#providers/nginx/container-nginx.js');
  return new NginxEdge(edge, new ContainerNginx(edge, image));
}
