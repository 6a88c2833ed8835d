import { join } from 'node:path';
import { DEFAULT_MAX_BODY_BYTES } from '../edge/edge-settings.js';
import type { Places } from '../edge/route-table.js';
import { REALM, type SiteRules } from '../edge/site-rules.js';
import { mapKey, quoted, whole, word } from './nginx-value.js';
import { ownPageAt, renderLocations, renderOwnPage } from './render-locations.js';
import type { RenderSettings } from './render.js';

/** What a map can say of rules, one line a hostname. */
export function renderRuleMaps(places: Places): { readonly httpsOnly: string; readonly hsts: string } {
  let [httpsOnly, hsts] = ['', ''];
  for (const { hostname, place: { rules } } of places) {
    if (rules?.httpsOnly) httpsOnly += `        ${mapKey(hostname, 'A hostname')} 1;\n`;
    if (rules?.hsts !== undefined) hsts += `        ${mapKey(hostname, 'A hostname')} ${quoted(rules.hsts, 'Strict-Transport-Security')};\n`;
  }
  return { httpsOnly, hsts };
}

/** A site whose rules no map can say, with the hostnames that it is served under. */
interface OwnServer {
  readonly hostnames: string[];
  readonly rules: SiteRules;
}

/** Keeps a text beside the configuration, and answers the name that it has there: its sha256. */
export type Keep = (text: string) => string;

/** A server for each site that needs one. What people wrote themselves is kept in files, so that no word of it can be read as a directive. */
export function renderOwnServers(places: Places, settings: RenderSettings, listens: string, keep: Keep): string {
  const servers = new Map<SiteRules, OwnServer>();
  for (const { hostname, place: { kind, rules } } of places) {
    if (!rules || kind === 'redirect' || !needsServer(rules)) continue;
    const server = servers.get(rules);
    if (server) server.hostnames.push(hostname);
    else servers.set(rules, { hostnames: [hostname], rules });
  }
  return [...servers.values()].map((server) => renderServer(server, settings, listens, keep)).join('');
}

function needsServer({ maxBodyBytes, targetTimeoutMs, users, access, maintenance, pages }: SiteRules): boolean {
  return maxBodyBytes !== undefined || targetTimeoutMs !== undefined || users.length > 0 || access !== undefined || maintenance !== undefined || Object.keys(pages).length > 0;
}

function renderServer({ hostnames, rules }: OwnServer, settings: RenderSettings, listens: string, keep: Keep): string {
  const most = settings.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  return `
    server {
${listens}        server_name${hostnames.map((name) => `\n            ${quoted(name, 'A hostname')}`).join('')};
        client_max_body_size ${whole(Math.min(rules.maxBodyBytes ?? most, most), 'The greatest body')};
        root ${quoted(join(settings.folder, 'empty'), 'The edge folder')};

        location / {
${TO_HTTPS}${rules.maintenance ? renderMaintenance() : `${renderAccess(rules)}${renderUsers(rules, settings, keep)}            try_files /none $hp_place;\n`}        }
${renderLocations(settings, rules)}${renderPages(rules, settings, keep)}    }
`;
}

/** Sends on who has to come by HTTPS, before anything is asked of them. */
export const TO_HTTPS = `            if ($hp_to_https) {
                return 308 https://$host$hp_https_port$request_uri;
            }
`;

function renderMaintenance(): string {
  return `            error_page 503 ${ownPageAt(503)};\n            return 503;\n`;
}

function renderAccess({ access }: SiteRules): string {
  if (!access) return '';
  const lines = access.ranges.map(({ range, isAllowed }) => `            ${isAllowed ? 'allow' : 'deny'} ${range};\n`);
  return `            error_page 403 @denied;\n${lines.join('')}${access.allowsOthers ? '' : '            deny all;\n'}`;
}

function renderUsers({ users }: SiteRules, settings: RenderSettings, keep: Keep): string {
  if (users.length === 0) return '';
  const kept = keep(users.map(({ name, passwordHash }) => `${name}:${passwordHash}\n`).join(''));
  const file = quoted(join(settings.folder, 'kept', word(kept, 'The hash of a text')), 'The edge folder');
  return `            auth_basic ${quoted(REALM, 'The realm')};\n            auth_basic_user_file ${file};\n`;
}

function renderPages({ maintenance, pages }: SiteRules, settings: RenderSettings, keep: Keep): string {
  const own = ([404, 502, 503] as const).map((status) => {
    if (status === 503 && maintenance) return renderOwnPage(settings, status, { kept: keep(maintenance.html) }, { 'Retry-After': whole(maintenance.retryAfterSeconds, 'Retry-After') });
    const page = pages[status];
    return page ? renderOwnPage(settings, status, 'html' in page ? { kept: keep(page.html) } : page) : '';
  });
  return own.join('');
}
