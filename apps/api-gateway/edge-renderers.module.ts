import { ProblemError } from '#api/problem.js';
import { ownAddressOf } from '#providers/edge/edge-settings.js';
import { placesOf, renderPlaces } from '#providers/edge/route-table.js';
import { certificateByName } from '#providers/edge/served-names.js';
import { render, type RenderSettings } from '#providers/nginx/render.js';
import { renderTraefik } from '#providers/traefik/render.js';
import type { EdgeRenderers, TraefikWish } from './edge-renderers.js';
import type { EdgeNow } from './edge-history.js';

const USUAL: TraefikWish = { http: 'web', https: 'websecure', containers: 'through-edge' };

/** The same functions as the hosts', over what these have recorded. */
export const edgeRenderers: EdgeRenderers = {
  render(format, moment) {
    if (format === 'traefik') return this.traefik(moment, USUAL);
    if (format === 'routes') {
      const { text, configHash: hash } = renderPlaces(moment.table.revision, placesOf(moment.table), certificateByName(moment.table));
      return { text, hash };
    }
    if (moment.edge === 'embedded') throw new ProblemError('unsupported', 'The edge of this host is the embedded one, which has no nginx configuration. Ask for its routes.');
    const { files, configHash: hash } = render(moment.table, moment.rendering as unknown as RenderSettings);
    return { text: files['nginx.conf']!, hash };
  },
  traefik({ rendering, table }: EdgeNow, { edgeUrl, containers, http, https, certResolver }: TraefikWish) {
    const { planeId, bind, httpPort, proxyProtocol } = rendering as unknown as Pick<RenderSettings, 'planeId' | 'bind' | 'httpPort' | 'proxyProtocol'>;
    if (proxyProtocol && edgeUrl === undefined) throw new ProblemError('unsupported', 'The edge of this host takes only connections that begin with the PROXY protocol (HOSTPLANE_EDGE_PROXY_PROTOCOL), and Traefik opens none to HTTP servers.');
    const address = ownAddressOf(bind);
    const url = edgeUrl?.replace(/\/$/, '') ?? `http://${address.includes(':') ? `[${address}]` : address}:${httpPort}`;
    const { text, configHash: hash } = renderTraefik(table, { planeId, edgeUrl: url, http, https, isDirect: containers === 'direct', ...(certResolver === undefined ? {} : { certResolver }) });
    return { text, hash };
  },
};
