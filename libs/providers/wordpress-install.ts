import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { ProviderError } from './provider-error.js';
import type { SiteRuntime } from './site-runtime.js';
import type { WordPressWorkload } from './wordpress-config.js';
import { INSTALLED, installScript, type WordPressSetup } from './wordpress-script.js';

/** So much of what PHP complains of is shown. */
const SHOWN = 2_000;

/** What an installation is told beside the spec. */
export interface Installation {
  readonly adminPassword: string;
  /** What is there came from a backup. */
  readonly isRestored: boolean;
}

/**
 * Sets WordPress up in its running workload: its tables, its first administrator, its title. Done again it changes nothing, whoever changed
 * what meanwhile; killed half-way, the next one goes on. What came from a backup gets the password as well, and lets nobody go on who was signed in.
 */
export async function installWordPress(runtime: SiteRuntime, spec: WorkloadSpec, { adminPassword, isRestored }: Installation, signal?: AbortSignal): Promise<void> {
  const { wordpress } = spec;
  if (!wordpress || !runtime.run) throw new ProviderError(`WordPress cannot be installed in a site of kind "${spec.kind}" on "${spec.runtime}".`, false);
  const stdin = installScript({ ...setupOf({ ...spec, wordpress }), adminPassword, isRestored });
  const { exitCode, stdout, stderr } = await runtime.run(spec.siteId, { argv: ['php', '-d', 'display_errors=stderr', '--'], stdin }, signal);
  if (exitCode === 0 && stdout.trim().endsWith(INSTALLED)) return;
  const said = textOf(`${stderr}\n${stdout}`).replaceAll(adminPassword, '***').slice(-SHOWN);
  throw new ProviderError(`WordPress could not be installed (exit code ${exitCode}). ${said === '' ? 'PHP said nothing.' : `PHP said:\n${said}`}`, false);
}

/** Looks at what installs itself before it is healthy. */
export async function confirmInstalled(runtime: SiteRuntime, { siteId, runtime: name }: WorkloadSpec, signal?: AbortSignal): Promise<void> {
  const seen = await runtime.observe(siteId, signal);
  if (!seen?.healthy) throw new ProviderError(`The WordPress on "${name}" was to be installed, and ${seen ? 'does not answer' : 'is not there'}.`, true);
}

/** What an installation is told by the spec alone. */
export function setupOf({ url, wordpress: { title, adminUser, adminEmail, locale } }: WordPressWorkload): Omit<WordPressSetup, 'adminPassword' | 'isRestored'> {
  return { url, title, adminUser, adminEmail: adminEmail || `admin@${new URL(url).hostname}`, locale };
}

/** WordPress says what is wrong in a page. */
function textOf(page: string): string {
  return page.replace(/<(style|script)[\s\S]*?<\/\1>/gi, '').replace(/<[^>]+>/g, ' ').replace(/\s*\n\s*/g, '\n').replace(/[ \t]+/g, ' ').trim();
}
