export interface HealthCheck {
  readonly name: string;
  readonly healthy: boolean;
  readonly tookMs: number;
  readonly error?: string;
  /** What a check that is well wants to say. */
  readonly detail?: string;
}

export interface HealthReport {
  readonly healthy: boolean;
  readonly checks: readonly HealthCheck[];
}

/** What a process needs to be able to work. A check resolves when it is well (a text that it resolves to is shown) and rejects when it is not; all run at once. */
export class Health {
  readonly #checks = new Map<string, (signal: AbortSignal) => Promise<unknown>>();

  constructor(private readonly timeoutMs = 2_000) {}

  add(name: string, check: (signal: AbortSignal) => Promise<unknown>): void {
    this.#checks.set(name, check);
  }

  async report(): Promise<HealthReport> {
    const checks = await Promise.all([...this.#checks].map(([name, check]) => this.#run(name, check)));
    return { healthy: checks.every((check) => check.healthy), checks };
  }

  async #run(name: string, check: (signal: AbortSignal) => Promise<unknown>): Promise<HealthCheck> {
    const began = performance.now();
    const tookMs = () => Math.round(performance.now() - began);
    const signal = AbortSignal.timeout(this.timeoutMs);
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error(`no answer after ${this.timeoutMs} ms`)), { once: true });
    });
    return Promise.race([Promise.resolve().then(() => check(signal)), late]).then(
      (said: unknown) => ({ name, healthy: true, tookMs: tookMs(), ...(typeof said === 'string' && { detail: said }) }),
      (err: unknown) => ({ name, healthy: false, tookMs: tookMs(), error: err instanceof Error ? err.message : String(err) }),
    );
  }
}
