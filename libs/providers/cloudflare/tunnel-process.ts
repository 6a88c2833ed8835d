import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ProviderError } from '../provider-error.js';

/** A cloudflared that was started with a configuration. */
export interface StartedTunnel {
  /** Where it tells how it is. */
  readonly metrics: string;
  /** Why it has ended since; undefined while it runs, or where that cannot be seen. */
  ended(): Promise<string | undefined>;
  /** It leads visitors from here on, alone: the one before it ends when its last requests have. */
  keep(): Promise<void>;
  /** It is ended; the one before it goes on, where there is one. */
  drop(): Promise<void>;
}

/** How a cloudflared is run: by us, or by whoever else looks after the services of this host. */
export interface TunnelProcess {
  /** Where the one that leads visitors tells how it is. */
  readonly metrics: string;
  /** Starts one that reads its configuration anew; beside the one that leads visitors, where that can be. */
  begin(configFile: string): Promise<StartedTunnel>;
  /** Ends what was begun and neither kept nor dropped, because whoever began it died. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 60_000;
const WORDS = 600;

/** Restarted by a command, for example `systemctl restart cloudflared`; it stays when the plane goes. */
export class CommandedTunnel implements TunnelProcess {
  constructor(
    private readonly command: string,
    readonly metrics: string,
  ) {}

  async begin(): Promise<StartedTunnel> {
    const [file = '', ...args] = this.command.split(/\s+/);
    await run(file, args, { timeout: COMMAND_TIMEOUT_MS }).catch((error: Error & { stderr?: string }) => {
      throw new ProviderError(`"${this.command}" (HOSTPLANE_TUNNEL_RESTART) failed: ${(error.stderr || error.message).trim().slice(0, WORDS)}`, true, { cause: error });
    });
    return { metrics: this.metrics, ended: async () => undefined, keep: async () => undefined, drop: async () => undefined };
  }

  async settle(): Promise<void> {
    // Whoever runs it sees to it that it is one.
  }

  async stop(): Promise<void> {
    // It is not ours to end.
  }
}
