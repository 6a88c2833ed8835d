import { deriveId } from '#contracts/ids.js';
import type { SiteKind } from '../site/status.js';

/** What a name is made from: the readable part may be cut, the id keeps it unique. */
export interface Named {
  readonly siteId: string;
  readonly name: string;
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * A UUID's 128 bits in 26 characters of RFC 4648's base32 alphabet, lower case. Nothing is lost, so names that
 * hold it can never collide, and it fits MySQL's 32 characters for a user with room for a prefix.
 */
export function shortId(uuid: string): string {
  const hex = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/.test(hex)) throw new Error(`Not a UUID: "${uuid}".`);
  let bits = BigInt(`0x${hex}`) << 2n;
  let text = '';
  for (let i = 0; i < 26; i++, bits >>= 5n) text = BASE32.charAt(Number(bits & 31n)) + text;
  return text;
}

/** Docker allows 255 characters and DNS 63 a label: prefix (11 at most) + 20 + 26 stays below both. */
function resource(prefix: string, site: Named): string {
  return `hp-${prefix}-${site.name.slice(0, 20).replace(/-+$/, '')}-${shortId(site.siteId)}`;
}

export const phpContainer = (site: Named): string => resource('php', site);
export const staticContainer = (site: Named): string => resource('static', site);
export const appContainer = (site: Named): string => resource('app', site);
export const volume = (site: Named): string => resource('data', site);
export const staticVolume = (site: Named): string => resource('web', site);
/** A static site's release in a container: immutable, so each has a volume of its own. `hash` is that of the spec. */
export const releaseVolume = (site: Named, hash: string): string => `${staticVolume(site)}-${hash.slice(0, 12)}`;
/** What an app's image declares as a volume: kept when the container is replaced. */
export const appVolume = (site: Named, path: string): string => `${volume(site)}-${shortId(deriveId('volume', path)).slice(0, 10)}`;
/** A container that was stopped to make room for the next one, until that one is healthy. */
export const oldContainer = (container: string): string => `${container}-old`;
/** A container that only receives an upload and is removed again. */
export const uploadContainer = (site: Named): string => resource('upload', site);

export function containerFor(kind: SiteKind, site: Named): string {
  return { wordpress: phpContainer, static: staticContainer, app: appContainer }[kind](site);
}

export const projectNetwork = (projectId: string): string => `hp-net-${shortId(projectId)}`;

/** What a container is handed to read and no inspection may show. */
export const secretVolume = (site: Named): string => resource('secret', site);

/** A database server and its volumes; `serverId` is that of the project which has it for itself, or one that follows from plane and host. */
export const databaseContainer = (serverId: string): string => `hp-db-${shortId(serverId)}`;
export const databaseVolume = (serverId: string, part: 'data' | 'socket' | 'secret'): string => `hp-db-${part}-${shortId(serverId)}`;

/** MySQL: 64 characters for a database, 32 for a user; underscores need no quoting. */
export const wordpressDatabase = (siteId: string): string => `hp_${shortId(siteId)}`;
export const databaseUser = (siteId: string): string => `hp_${shortId(siteId)}`;
/** Name under which the vault keeps the password of the site's database. */
export const databasePasswordKey = (siteId: string): string => `site/${shortId(siteId)}/database-password`;
/** Name under which the vault keeps the password of the administrator of what runs in the site. */
export const adminPasswordKey = (siteId: string): string => `site/${shortId(siteId)}/admin-password`;
/** Whose keys a host's own secrets are under: those of nobody's project. A UUID never begins like this. */
export const hostKeyring = (hostId: string): string => `host-${hostId}`;
/** The same of the plane as a whole, for example of its account at a certificate authority. */
export const PLANE_KEYRING = 'plane';
export const isHostKeyring = (id: string): boolean => id.startsWith('host-') || id === PLANE_KEYRING;
/** Name under which the vault keeps the key of the plane's account at a certificate authority. */
export const accountKeyName = (authority: string): string => `account/${authority}`;
/** Name under which the vault keeps the root password of the host's database server, in the host's keyring. */
export const hostRootPasswordKey = (hostId: string): string => `host/${hostId}/database-root-password`;
/** Name under which the vault keeps the root password of a project's own database server. */
export const projectRootPasswordKey = (projectId: string): string => `project/${shortId(projectId)}/database-root-password`;
/** The id, and so the stream, of the secret that a project (or a host) has under a name. */
export const secretIdOf = (projectId: string, name: string): string => deriveId('secret', projectId, name);

export const siteDomain = (label: string, baseDomain: string): string => `${label}.${baseDomain}`;
export const nginxConfigFile = (siteId: string): string => `site-${shortId(siteId)}.conf`;

/** `{base}:deploy_{first 8 of the deployment id}`. */
export const deploymentImage = (base: string, deploymentId: string): string => `${base}:deploy_${deploymentId.slice(0, 8)}`;

/** A project's room at a vendor that groups what runs. */
export const projectRoom = (projectId: string): string => `hp-project-${shortId(projectId)}`;
/** A WordPress with its database, where both come as one. */
export const wordpressService = (site: Named): string => resource('wp', site);
/** One version of an app where versions stand beside each other until the new one is healthy. `hash` is that of the spec. */
export const appVersion = (site: Named, hash: string): string => `${appContainer(site)}-${hash.slice(0, 8)}`;
