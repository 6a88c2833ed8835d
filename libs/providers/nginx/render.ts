import { createHash } from 'node:crypto';
import { DEFAULT_MAX_BODY_BYTES, type EdgeSettings } from '../edge/edge-settings.js';
import { hashOf, placesOf, type Place, type Places } from '../edge/route-table.js';
import { VERSION_HOST, versionAnswer } from '../edge/served-version.js';
import type { RouteTable } from '../edge.js';
import { mimeTypes } from '../edge/mime-types.js';
import { mapKey, quoted, whole, word } from './nginx-value.js';
import { renderListen, renderSocket } from './render-listen.js';
import { renderLocations } from './render-locations.js';
import { renderOwnServers, renderRuleMaps, TO_HTTPS, type Keep } from './render-rules.js';
import { renderCertificates } from './render-tls.js';
import { renderVisitor } from './render-visitor.js';

/** What the configuration says of its host besides the routes. Paths are those that nginx sees. */
export interface RenderSettings extends Pick<EdgeSettings, 'planeId' | 'folder' | 'sitesFolder' | 'bind' | 'httpPort' | 'httpsPort' | 'maxBodyBytes' | 'targetTimeoutMs' | 'proxyRanges' | 'proxyProtocol'> {
  /** Of the certificate for names that have none of their own. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Whether the system can hold a connection back until its first bytes (Linux can). */
  readonly canDefer: boolean;
  readonly workers: number;
  /** The user that workers run as; left out, they run as who started nginx. */
  readonly user?: { readonly name: string; readonly group: string };
}

export interface RenderedConfig {
  /** Text by file name. */
  readonly files: Readonly<Record<string, string>>;
  /** Texts that the configuration names by their sha256: what a request needs while a worker of this configuration lives. */
  readonly kept: Readonly<Record<string, string>>;
  /** Hex sha256 over the files and the revision. */
  readonly configHash: string;
}

/**
 * The whole configuration of nginx: the same table and settings give the same bytes. It is one file, since nginx opens each file by itself: of two, it could
 * read one before a change and one after it, and then tell the version of routes that it does not serve.
 */
export function render(table: RouteTable, settings: RenderSettings): RenderedConfig {
  const kept: Record<string, string> = {};
  const [start, end] = renderMain(settings, placesOf(table), renderCertificates(table, settings), (text) => {
    const hash = createHash('sha256').update(text).digest('hex');
    kept[hash] = text;
    return hash;
  });
  const configHash = hashOf({ start, end, revision: whole(table.revision, 'The revision') });
  const answer = versionAnswer(word(settings.planeId, 'The plane id'), { revision: table.revision, configHash }, '$pid');
  return { files: { 'nginx.conf': `${start}return 200 '${answer}';${end}` }, kept, configHash };
}

/** One line a hostname: `address:port` of a container, `/folder` below the sites folder, `>status hostname` to be sent on to, or `-` for a stopped site. */
function renderRoutes(places: Places): string {
  let text = '';
  for (const { hostname, place } of places) text += `        ${mapKey(hostname, 'A hostname')} ${quoted(routeOf(place), 'A target')};\n`;
  return text;
}

function routeOf(place: Place): string {
  switch (place.kind) {
    case 'container':
      return `${place.address}:${place.port}`;
    case 'files':
      return `/${place.root}`;
    case 'redirect':
      return `>${whole(place.status, 'The status of a redirect', 399)} ${place.to}`;
    case 'stopped':
      return '-';
  }
}

function renderTypes(): string {
  return Object.entries(mimeTypes).map(([type, extensions]) => `        ${type} ${extensions.join(' ')};\n`).join('');
}

/** The text before and after the place where the version is told. */
function renderMain(settings: RenderSettings, places: Places, certificates: string, keep: Keep): [string, string] {
  const inFolder = (name: string) => quoted(`${settings.folder}/${name}`, 'The edge folder');
  const user = settings.user ? `user ${word(settings.user.name, 'The user')} ${word(settings.user.group, 'The group')};\n` : '';
  const listens = `        ${renderListen(settings, settings.httpPort)};\n        ${renderListen(settings, settings.httpsPort, true)};\n`;
  const ruleMaps = renderRuleMaps(places);
  const start = `# Made whole by Hostplane from its routes. What is changed here by hand is lost with the next change of a route.
${user}pid ${inFolder('nginx.pid')};
error_log ${inFolder('error.log')} error;
worker_processes ${whole(settings.workers, 'The number of workers', 1024)};
# A worker of an older table closes what is still open (websockets, long downloads) after this time.
worker_shutdown_timeout 600s;

events {
    worker_connections 4096;
}

http {
    types {
${renderTypes()}    }
    default_type application/octet-stream;
    server_tokens off;
    access_log off;
    log_not_found off;
    sendfile on;
    tcp_nopush on;
    absolute_redirect off;
    client_header_timeout 10s;
    client_max_body_size ${whole(settings.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES, 'The greatest body')};
    client_body_temp_path ${inFolder('temp/body')};
    proxy_temp_path ${inFolder('temp/proxy')};
    fastcgi_temp_path ${inFolder('temp/fastcgi')};
    uwsgi_temp_path ${inFolder('temp/uwsgi')};
    scgi_temp_path ${inFolder('temp/scgi')};
    map_hash_bucket_size 256;
    map_hash_max_size 131072;
    server_names_hash_bucket_size 256;
    server_names_hash_max_size 65536;
    ssl_certificate $hp_certificate_file;
    ssl_certificate_key $hp_certificate_key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:hp_tls:10m;

    map $hp_route $hp_place {
        default @container;
        "" @unknown;
        "-" @stopped;
        "~^/" @files;
        "~^>301 " @moved301;
        "~^>308 " @moved308;
    }
    map $hp_route $hp_moved_to {
        default "";
        "~^>30[18] (?<hp_moved_host>.+)$" $hp_moved_host;
    }
    map $http_host $hp_port {
        default "";
        "~(?<hp_port_given>:[0-9]+)$" $hp_port_given;
    }
    map $http_upgrade $hp_connection {
        default upgrade;
        "" close;
    }
    map $hp_https_only$hp_scheme $hp_to_https {
        default "";
        1http 1;
    }
    map $hp_scheme $hp_hsts {
        default "";
        https $hp_hsts_of_host;
    }
    map $hp_hsts $hp_hsts_or_target {
        default $hp_hsts;
        "" $upstream_http_strict_transport_security;
    }
${renderVisitor(settings)}
    server {
        ${renderListen(settings, settings.httpPort)};
        server_name ${VERSION_HOST};
        default_type application/json;
        location / {
            if ($hp_own_machine = 0) {
                return 404;
            }
            `;
  const end = `
        }
    }

    server {
        ${renderListen(settings, settings.httpPort)} default_server${renderSocket(settings)};
        ${renderListen(settings, settings.httpsPort, true)} default_server${renderSocket(settings)};
        server_name _;
        root ${inFolder('empty')};

        location / {
${TO_HTTPS}            try_files /none $hp_place;
        }
${renderLocations(settings)}    }
${renderOwnServers(places, settings, listens, keep)}
    # Hosts that are served by HTTPS only, and what their browsers are told of it.
    map $host $hp_https_only {
        default "";
${ruleMaps.httpsOnly}    }
    map $host $hp_hsts_of_host {
        default "";
${ruleMaps.hsts}    }

${certificates}
    # Where each host leads: to a container, to a /folder of the sites, >on to another host, or nowhere while its site is stopped.
    map $host $hp_route {
        default "";
${renderRoutes(places)}    }
}
`;
  return [start, end];
}
