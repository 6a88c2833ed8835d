import { DEFAULT_MAX_BODY_BYTES, DEFAULT_TARGET_TIMEOUT_MS, type EdgeSettings } from '../edge/edge-settings.js';
import { pageHeaders, pages, pageType, type EdgePage } from '../edge/pages.js';
import { hashOf, placesOf, type Place } from '../edge/route-table.js';
import { VERSION_HOST, versionAnswer } from '../edge/served-version.js';
import type { RouteTable } from '../edge.js';
import { mimeTypes, textTypes } from '../edge/mime-types.js';
import { mapKey, quoted, whole, word } from './nginx-value.js';
import { ownAddresses, renderListen, renderSocket } from './render-listen.js';

/** What the configuration says of its host besides the routes. Paths are those that nginx sees. */
export interface RenderSettings extends Pick<EdgeSettings, 'planeId' | 'folder' | 'sitesFolder' | 'bind' | 'httpPort' | 'httpsPort' | 'maxBodyBytes' | 'targetTimeoutMs'> {
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
  /** Hex sha256 over the files and the revision. */
  readonly configHash: string;
}

/**
 * The whole configuration of nginx: the same table and settings give the same bytes. It is one file, since nginx opens each file by itself: of two, it could
 * read one before a change and one after it, and then tell the version of routes that it does not serve.
 */
export function render(table: RouteTable, settings: RenderSettings): RenderedConfig {
  const [start, end] = renderMain(settings, renderRoutes(table));
  const configHash = hashOf({ start, end, revision: whole(table.revision, 'The revision') });
  const answer = versionAnswer(word(settings.planeId, 'The plane id'), { revision: table.revision, configHash }, '$pid');
  return { files: { 'nginx.conf': `${start}return 200 '${answer}';${end}` }, configHash };
}

/** One line a hostname: `address:port` of a container, `/folder` below the sites folder, `>status hostname` to be sent on to, or `-` for a stopped site. */
function renderRoutes(table: RouteTable): string {
  let text = '';
  for (const [hostname, place] of placesOf(table)) text += `        ${mapKey(hostname, 'A hostname')} ${quoted(routeOf(place), `The target of ${hostname}`)};\n`;
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
function renderMain(settings: RenderSettings, routes: string): [string, string] {
  const inFolder = (name: string) => quoted(`${settings.folder}/${name}`, 'The edge folder');
  const user = settings.user ? `user ${word(settings.user.name, 'The user')} ${word(settings.user.group, 'The group')};\n` : '';
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
    server_names_hash_bucket_size 128;

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
    geo $hp_own_machine {
        default 0;
${ownAddresses(settings.bind).map((address) => `        ${address} 1;\n`).join('')}    }

    server {
        ${renderListen(settings.bind, settings.httpPort)};
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
        ${renderListen(settings.bind, settings.httpPort)} default_server${renderSocket(settings)};
        ${renderListen(settings.bind, settings.httpsPort)} ssl default_server${renderSocket(settings)};
        server_name _;
        ssl_certificate ${quoted(settings.certFile, 'The certificate file')};
        ssl_certificate_key ${quoted(settings.keyFile, 'The key file')};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:hp_tls:10m;
        root ${inFolder('empty')};

        location / {
            try_files /none $hp_place;
        }
${renderContainer(settings)}${renderFiles(settings)}${renderMoved(301)}${renderMoved(308)}
        location @unknown {
${renderPage(pages.unknown)}        }
        location @missing {
${renderPage(pages.missing)}        }
        location @stopped {
${renderPage(pages.stopped)}        }
        location @unreachable {
${renderPage(pages.unreachable)}        }
    }

    # Where each host leads: to a container, to a /folder of the sites, >on to another host, or nowhere while its site is stopped.
    map $host $hp_route {
        default "";
${routes}    }
}
`;
  return [start, end];
}

/** Bodies pass unbuffered in both directions, so that a request reaches the target it was routed to at once, and answers stream. */
function renderContainer(settings: RenderSettings): string {
  const timeoutS = Math.ceil((settings.targetTimeoutMs ?? DEFAULT_TARGET_TIMEOUT_MS) / 1000);
  return `
        location @container {
            error_page 502 504 @unreachable;
            proxy_pass http://$hp_route;
            proxy_http_version 1.1;
            proxy_connect_timeout 5s;
            proxy_read_timeout ${whole(timeoutS, 'The time-out of a target')}s;
            proxy_send_timeout ${whole(timeoutS, 'The time-out of a target')}s;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_buffer_size 16k;
            proxy_buffers 8 16k;
            proxy_redirect off;
            proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;
            proxy_set_header Host $host$hp_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $hp_connection;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $host$hp_port;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Prefix "";
            proxy_set_header X-Forwarded-Server "";
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header Forwarded "";
            proxy_set_header Proxy "";
        }
`;
}

/** A release is swapped by its link \`current\`, so nothing about files is kept open, and links inside of a release are not followed. */
function renderFiles(settings: RenderSettings): string {
  const sites = quoted(settings.sitesFolder, 'The sites folder');
  return `
        location @files {
            error_page 403 404 @missing;
            root ${sites.slice(0, -1)}$hp_route";
            disable_symlinks on from=$document_root;
            index index.html;
            charset utf-8;
            charset_types ${textTypes.join(' ')};
            add_header Cache-Control "public, max-age=0, must-revalidate";
            if ($uri ~ "/\\.(?!well-known(/|$))") {
                return 404;
            }
        }
`;
}

/** `$request_uri` is the path and query as the visitor sent them; nginx takes no control characters in it. */
function renderMoved(status: 301 | 308): string {
  return `
        location @moved${status} {
            return ${status} $scheme://$hp_moved_to$hp_port$request_uri;
        }
`;
}

function renderPage(page: EdgePage): string {
  const headers = Object.entries(pageHeaders).map(([name, value]) => `            add_header ${word(name, 'A header')} ${quoted(value, name)} always;\n`);
  return `            default_type ${quoted(pageType, 'A type')};\n${headers.join('')}            return ${page.status} ${quoted(page.html, 'A page')};\n`;
}
