import { portForbidden, portTaken, type EdgeSettings } from '../edge/edge-settings.js';

/** How an nginx is run: by the binary of this machine, or in a container. */
export interface NginxProcess {
  readonly name: string;
  /** Whether it can be run here; else the reason. */
  available(): Promise<true | string>;
  /** The user that workers should run as: one without rights, when it can read the sites; undefined: as who started nginx. */
  workerUser(): Promise<{ name: string; group: string } | undefined>;
  /** The numbers of that user where it is not the one who started nginx: files that workers open are its. */
  workerIds(): Promise<{ uid: number; gid: number } | undefined>;
  /** What nginx has against a configuration, or undefined when it accepts it. */
  complaint(configFile: string): Promise<string | undefined>;
  /** Whether the edge's own nginx runs; never another one. */
  isRunning(): Promise<boolean>;
  /** Starts it with a configuration. Throws a ProviderError that names a taken port. */
  start(configFile: string): Promise<void>;
  /** Lets it read its configuration again; what comes of it shows later. */
  reload(): Promise<void>;
  /** How many of its workers take requests; undefined where they cannot be seen. */
  takingWorkers(): Promise<number | undefined>;
  /** Ends it, and returns when it has ended. */
  stop(): Promise<void>;
}

/**
 * The environment that nginx runs in. glibc raises the size from which it asks the system for memory each time such memory is given back, and then returns less and less of
 * it: after ten reloads of 10,000 sites nginx holds 22.6 MB instead of 16.7. A threshold that is set, be it the usual 128 KiB, stays (mallopt(3)).
 */
export const NGINX_ENVIRONMENT = { MALLOC_TRIM_THRESHOLD_: String(128 * 1024) } as const;

/** What matters of the lines nginx prints: its errors without times and process numbers. */
export function errorsOf(output: string): string {
  const lines = output.split('\n').filter((line) => /\[(emerg|alert|crit|error)\]/.test(line));
  return (lines.length > 0 ? lines : [output.trim()]).map((line) => line.replace(/^.*?\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?/, '')).join('; ').slice(0, 1_000);
}

/** What to say when nginx could not have a port or an address; undefined when its trouble is another. */
export function bindTroubleOf(output: string, settings: Pick<EdgeSettings, 'bind' | 'httpPort'>): string | undefined {
  const [, port, code] = /bind\(\) to \S+:(\d+) failed \((\d+): /.exec(output) ?? [];
  switch (code) {
    case undefined:
      return undefined;
    case '98':
    case '48':
      return portTaken(settings, Number(port));
    case '13':
      return portForbidden(settings, Number(port));
    default:
      return `This machine has no address ${settings.bind}: set HOSTPLANE_BIND to one that it has.`;
  }
}

/** Whether a process with this title is a worker that takes requests. */
export function isTaking(title: string): boolean {
  return title.startsWith('nginx: worker') && !title.includes('shutting down');
}
