import { ProviderError } from '../provider-error.js';

/** One variable as Coolify's bulk call takes it. */
export interface EnvironmentItem {
  readonly key: string;
  readonly value: string;
  readonly is_preview: false;
  readonly is_literal: true;
  readonly is_multiline: boolean;
  readonly is_shown_once: true;
  readonly is_runtime: true;
  readonly is_buildtime: false;
}

/**
 * The variables for Coolify, which writes each literal one as KEY='value' into an env file. Throws for a value that would reach the app as
 * another one: its message names the variable and not the value.
 */
export function environmentItems(env: Readonly<Record<string, string>>): EnvironmentItem[] {
  return Object.entries(env)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => {
      const why = whyChanged(value);
      if (why) throw new ProviderError(`Coolify would change the value of the variable ${key}: ${why}. Give it in another form (for example as base64), or run the site on docker.`, false);
      return { key, value, is_preview: false, is_literal: true, is_multiline: value.includes('\n'), is_shown_once: true, is_runtime: true, is_buildtime: false };
    });
}

/** The same for a service, whose variables all reach what runs. */
export function stackEnvironmentItems(env: Readonly<Record<string, string>>): Omit<EnvironmentItem, 'is_runtime' | 'is_buildtime'>[] {
  return environmentItems(env).map(({ is_runtime: _, is_buildtime: __, ...item }) => item);
}

/** Read in App\Models\EnvironmentVariable: it trims, resolves {{…}}, and leaves the quotes out around what is a JSON object or list. */
function whyChanged(value: string): string | undefined {
  if (value !== value.trim()) return 'it begins or ends with white space';
  if (/\{\{.*?\}\}/.test(value)) return 'it holds {{…}}, which stands for a shared variable there';
  if (isJson(value)) return /\$|\s#|[\r\n]/.test(value) ? 'it is JSON with a $, a # after a space, or more than one line' : undefined;
  return value.includes("'") ? "it holds the sign '" : undefined;
}

function isJson(value: string): boolean {
  if (!/^[{[]/.test(value)) return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
