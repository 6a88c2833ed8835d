import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { ProviderError } from './provider-error.js';
import type { SiteRuntime } from './site-runtime.js';
import { INSTALLED, installScript } from './wordpress-script.js';

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
  const { wordpress, url } = spec;
  if (!wordpress || !runtime.run) throw new ProviderError(`WordPress cannot be installed in a site of kind "${spec.kind}" on "${spec.runtime}".`, false);
  const adminEmail = wordpress.adminEmail || `admin@${new URL(url).hostname}`;
  const stdin = installScript({ url, title: wordpress.title, adminUser: wordpress.adminUser, adminEmail, adminPassword, locale: wordpress.locale, isRestored });
  const { exitCode, stdout, stderr } = await runtime.run(spec.siteId, { argv: ['php', '-d', 'display_errors=stderr', '--'], stdin }, signal);
  if (exitCode === 0 && stdout.trim().endsWith(INSTALLED)) return;
  const said = textOf(`${stderr}\n${stdout}`).replaceAll(adminPassword, '***').slice(-SHOWN);
  throw new ProviderError(`WordPress could not be installed (exit code ${exitCode}). ${said === '' ? 'PHP said nothing.' : `PHP said:\n${said}`}`, false);
}

/** WordPress says what is wrong in a page. */
function textOf(page: string): string {
  return page.replace(/<(style|script)[\s\S]*?<\/\1>/gi, '').replace(/<[^>]+>/g, ' ').replace(/\s*\n\s*/g, '\n').replace(/[ \t]+/g, ' ').trim();
}
