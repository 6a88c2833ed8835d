import { ProviderError } from '#providers/provider-error.js';
import type { SiteRuntime } from '#providers/site-runtime.js';

/** The runtimes of this host, by the name that a site's spec has for them. */
export class Runtimes {
  constructor(
    private readonly available: ReadonlyMap<string, SiteRuntime>,
    /** Why a runtime that is known is not available here. */
    private readonly missing: ReadonlyMap<string, string>,
  ) {}

  get all(): readonly SiteRuntime[] {
    return [...this.available.values()];
  }

  has(name: string): boolean {
    return this.available.has(name);
  }

  /** The runtime of that name, or an error that says why this host does not have it. */
  get(name: string): SiteRuntime {
    const runtime = this.available.get(name);
    if (runtime) return runtime;
    const known = [...this.available.keys()].join(', ');
    throw new ProviderError(`This host cannot run a site on "${name}": ${this.missing.get(name) ?? 'it is not known'}. It has: ${known}.`, false);
  }
}
