/** How a host's edge is set up; the same for every adapter. */
export interface EdgeSettings {
  /** Tells this plane's edge from any other program that answers on the same port. */
  readonly planeId: string;
  /** Absolute folder of the edge's own: its configuration, certificate and logs. */
  readonly folder: string;
  /** Absolute folder below which the roots of file targets lie. */
  readonly sitesFolder: string;
  /** IP address that visitors reach; 0.0.0.0 or :: for every one of the host. */
  readonly bind: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Sites are at <name>.<base domain>; the self-signed certificate is made for it. */
  readonly baseDomain: string;
  /** Greatest body of a visitor's request; 1 GiB unless told. */
  readonly maxBodyBytes?: number;
  /** How long a target may keep silent before the visitor is told so; 5 minutes unless told. */
  readonly targetTimeoutMs?: number;
  /** IP ranges of proxies whose X-Forwarded-For and -Proto are believed; nobody's unless told. */
  readonly proxyRanges?: readonly string[];
  /** Whether every connection begins with the PROXY protocol, as balancers send it; the visitor that one of `proxyRanges` names there is believed. */
  readonly proxyProtocol?: boolean;
  /** Told what an operator should know, for example which user serves. */
  readonly log?: (line: string) => void;
}

export const DEFAULT_MAX_BODY_BYTES = 1024 ** 3;
export const DEFAULT_TARGET_TIMEOUT_MS = 300_000;

/** Where this machine itself reaches what is bound to the address. */
export function ownAddressOf(bind: string): string {
  if (bind === '0.0.0.0') return '127.0.0.1';
  return bind === '::' ? '::1' : bind;
}

/** What to say when a port is held by somebody else. */
export function portTaken(settings: Pick<EdgeSettings, 'bind' | 'httpPort'>, port: number): string {
  return `Port ${port} at ${settings.bind} is taken by another program: stop that program, or set ${variableOf(settings, port)} to a free port.`;
}

/** What to say when the system keeps a port for the privileged. */
export function portForbidden(settings: Pick<EdgeSettings, 'bind' | 'httpPort'>, port: number): string {
  return `Port ${port} at ${settings.bind} may not be used by this user: set ${variableOf(settings, port)} to a port from 1024 on, or allow it.`;
}

function variableOf(settings: Pick<EdgeSettings, 'httpPort'>, port: number): string {
  return port === settings.httpPort ? 'HOSTPLANE_EDGE_HTTP_PORT' : 'HOSTPLANE_EDGE_HTTPS_PORT';
}
