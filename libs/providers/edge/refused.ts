import { ProviderError } from '../provider-error.js';

/** What no edge can serve, and no repetition mends. */
export function refused(what: string): ProviderError {
  return new ProviderError(`${what}: the edge keeps what it served.`, false);
}

export function siteName(route: { readonly siteId: string }): string {
  return `Site ${shown(route.siteId)}`;
}

/** A value as an error shows it. */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 120);
}
