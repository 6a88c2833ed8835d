import { ProviderError } from '../provider-error.js';

export interface TransitSettings {
  /** For example https://vault.example:8200 */
  readonly address: string;
  readonly token: string;
  /** Of Vault Enterprise. */
  readonly namespace?: string | undefined;
  /** Where the engine is mounted; `transit` unless somebody chose another place. */
  readonly mount: string;
  readonly key: string;
}

const TIMEOUT_MS = 10_000;

/**
 * Vault's HTTP API, as far as the transit engine needs it (`/v1/<mount>/…`, X-Vault-Token, X-Vault-Namespace). What it answers from 400 on holds `errors`.
 * Neither the token nor what is encrypted is ever part of an error.
 */
export class TransitClient {
  constructor(private readonly settings: TransitSettings) {}

  /** Data about the key. */
  read<T>(signal?: AbortSignal): Promise<T> {
    return this.send('GET', `keys/${this.settings.key}`, undefined, signal);
  }

  post<T>(verb: 'encrypt' | 'decrypt' | 'rewrap', body: object, signal?: AbortSignal): Promise<T> {
    return this.send('POST', `${verb}/${this.settings.key}`, body, signal);
  }

  async rotate(signal?: AbortSignal): Promise<void> {
    await this.send('POST', `keys/${this.settings.key}/rotate`, {}, signal);
  }

  private async send<T>(method: string, path: string, body: object | undefined, signal?: AbortSignal): Promise<T> {
    const { address, token, namespace, mount } = this.settings;
    const url = `${address.replace(/\/+$/, '')}/v1/${mount}/${path}`;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, {
      method,
      headers: { 'x-vault-token': token, 'x-vault-request': 'true', ...(namespace && { 'x-vault-namespace': namespace }), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    }).catch((error: unknown) => {
      throw new ProviderError(`Vault at ${address} does not answer: ${reasonOf(error)}.`, true);
    });
    const text = await response.text().catch(() => '');
    if (!response.ok) throw refused(`${method} ${mount}/${path}`, response.status, errorsOf(text));
    return (response.status === 204 ? {} : (dataOf(text) ?? {})) as T;
  }
}

/** What may pass: Vault is sealed, behind its leader, asked too often, or has a fault of its own. */
function refused(what: string, status: number, errors: readonly string[]): ProviderError {
  const said = errors.length > 0 ? ` and says: ${errors.join('; ')}` : '';
  const hint: Readonly<Record<number, string>> = {
    403: ' The token is not valid any more, or its policy does not allow this.',
    404: ' There is no such key or no transit engine there, or the token may not see it.',
    429: ' It is asked too often.',
    503: ' It is sealed or being maintained: unseal it.',
  };
  return new ProviderError(`Vault refuses ${what} (${status})${said}.${hint[status] ?? ''}`, status === 412 || status === 429 || status === 472 || status === 473 || status >= 500);
}

function errorsOf(text: string): readonly string[] {
  const errors = parsed(text)?.['errors'];
  return Array.isArray(errors) ? errors.filter((one) => typeof one === 'string').map((one) => one.slice(0, 300)) : [];
}

const dataOf = (text: string): unknown => parsed(text)?.['data'];

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = cause as { code?: string; message?: string };
  return code ?? message ?? 'the connection failed';
}
