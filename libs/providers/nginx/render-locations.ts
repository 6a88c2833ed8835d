import { join } from 'node:path';
import { textTypes } from '../edge/mime-types.js';
import { pageHeaders, pages, pageType, type EdgePage } from '../edge/pages.js';
import { DEFAULT_TARGET_TIMEOUT_MS } from '../edge/edge-settings.js';
import type { SiteRules } from '../edge/site-rules.js';
import { quoted, whole, word } from './nginx-value.js';
import type { RenderSettings } from './render.js';
import { renderProofs } from './render-tls.js';

/** Where a server finds a site's own page for a status; no visitor can ask for it. */
export const ownPageAt = (status: number): string => `/.hostplane/${whole(status, 'A status', 599)}`;

/** What is said over HTTPS to browsers of sites that want it. */
const HSTS = 'add_header Strict-Transport-Security $hp_hsts always;';

/** Every place where a visitor's request can end, but for those that a site's own rules add. */
export function renderLocations(settings: RenderSettings, rules?: SiteRules): string {
  return `${renderProofs(settings, rules ? '@missing' : '$hp_place')}${renderContainer(settings, rules)}${renderFiles(settings, rules)}${renderMoved(301)}${renderMoved(308)}
        location @unknown {
${renderPage(pages.unknown)}        }
        location @missing {
${renderPage(pages.missing)}        }
        location @stopped {
${rules?.pages[503] ? `            error_page 503 ${ownPageAt(503)};\n            return 503;\n` : renderPage(pages.stopped)}        }
        location @unreachable {
${renderPage(pages.unreachable)}        }
        location @denied {
${renderPage(pages.denied)}        }
`;
}

/** Bodies pass unbuffered in both directions, so that a request reaches the target it was routed to at once, and answers stream. */
function renderContainer(settings: RenderSettings, rules?: SiteRules): string {
  const timeoutS = Math.ceil((rules?.targetTimeoutMs ?? settings.targetTimeoutMs ?? DEFAULT_TARGET_TIMEOUT_MS) / 1000);
  return `
        location @container {
            error_page 502 504 ${rules?.pages[502] ? `=502 ${ownPageAt(502)}` : '@unreachable'};
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
            proxy_hide_header Strict-Transport-Security;
            add_header Strict-Transport-Security $hp_hsts_or_target always;
            proxy_set_header Host $host$hp_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $hp_connection;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $host$hp_port;
            proxy_set_header X-Forwarded-Port $hp_forwarded_port;
            proxy_set_header X-Forwarded-Proto $hp_scheme;
            proxy_set_header X-Forwarded-Prefix "";
            proxy_set_header X-Forwarded-Server "";
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header CF-Connecting-IP $hp_cf_connecting_ip;
            proxy_set_header True-Client-IP "";
            proxy_set_header Forwarded "";
            proxy_set_header Proxy "";
${rules && rules.users.length > 0 ? '            proxy_set_header Authorization "";\n' : ''}        }
`;
}

/** A release is swapped by its link \`current\`, so nothing about files is kept open, and links inside of a release are not followed. */
function renderFiles(settings: RenderSettings, rules?: SiteRules): string {
  return `
        location @files {
            error_page 403 404 ${rules?.pages[404] ? `=404 ${ownPageAt(404)}` : '@missing'};
${renderRoot(settings)}            index index.html;
            add_header Cache-Control "public, max-age=0, must-revalidate";
            ${HSTS}
            if ($uri ~ "/\\.(?!well-known(/|$))") {
                return 404;
            }
        }
`;
}

function renderRoot({ sitesFolder }: RenderSettings): string {
  return `            root ${quoted(sitesFolder, 'The sites folder').slice(0, -1)}$hp_route";
            disable_symlinks on from=$document_root;
            charset utf-8;
            charset_types ${textTypes.join(' ')};
`;
}

/** `$request_uri` is the path and query as the visitor sent them; nginx takes no control characters in it. */
function renderMoved(status: 301 | 308): string {
  return `
        location @moved${status} {
            ${HSTS}
            return ${status} $hp_scheme://$hp_moved_to$hp_port$request_uri;
        }
`;
}

/** A page that a site has in place of the edge's: a text that is kept, or a file of the site. */
export function renderOwnPage(settings: RenderSettings, status: number, page: { readonly kept: string } | { readonly file: string }, headers: Readonly<Record<string, string>> = {}): string {
  const body = 'kept' in page
    ? `            types { }
            default_type ${quoted(pageType, 'A type')};
            alias ${quoted(join(settings.folder, 'kept', word(page.kept, 'The hash of a text')), 'The edge folder')};
            etag off;
${renderHeaders({ ...pageHeaders, ...headers })}`
    : `${renderRoot(settings)}            add_header Cache-Control "no-store" always;
            ${HSTS}
            try_files ${quoted(`/${page.file}`, 'A page')} @missing;
`;
  return `
        location = ${ownPageAt(status)} {
            internal;
${body}        }
`;
}

function renderPage(page: EdgePage): string {
  return `            default_type ${quoted(pageType, 'A type')};\n${renderHeaders(pageHeaders)}            return ${page.status} ${quoted(page.html, 'A page')};\n`;
}

function renderHeaders(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `            add_header ${word(name, 'A header')} ${quoted(value, name)} always;\n`);
  return `${lines.join('')}            ${HSTS}\n`;
}
