import type { WordPressSpec } from '#contracts/gen/hostplane/v1/site.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';

/** How WordPress is run. */
export interface WordPressImage {
  /** `{php}` stands for the version of PHP that a site asks for. */
  readonly image: string;
  /** For sites that ask for none. */
  readonly phpVersion: string;
  /** uid:gid, never root. */
  readonly user: string;
  /** Where visitors come in with TLS, beside the address that the spec has. */
  readonly tlsPort?: number;
}

/** The spec of a WordPress, with the settings that only such a one has. */
export type WordPressWorkload = WorkloadSpec & { readonly wordpress: WordPressSpec };

/** Where the official image has WordPress, and what it keeps beside its database. */
export const WORDPRESS_FOLDER = '/var/www/html';

/** What a process of Apache with PHP takes, and how many there are at least. Apache's own default of 150 would run a small container out of memory. */
const WORKER_BYTES = 48 * 1024 * 1024;
const LEAST_WORKERS = 4;

/**
 * Read by PHP at each request. Links follow the address that the visitor used, which the edge tells, as long as it is one of the site's own; and no visitor
 * waits for WordPress' timed work: that is started from outside.
 */
export const WORDPRESS_CONFIG = `
(function () {
  $urls = explode(' ', getenv('SITE_URLS'));
  $asked = (empty($_SERVER['HTTPS']) ? 'http://' : 'https://') . strtolower($_SERVER['HTTP_HOST'] ?? '');
  $url = in_array($asked, $urls, true) ? $asked : $urls[0];
  define('WP_HOME', $url);
  define('WP_SITEURL', $url);
})();
define('DISABLE_WP_CRON', true);
`.trim();

/** The name of the image for the version of PHP that a site asks for. */
export function wordpressImage({ image, phpVersion }: WordPressImage, spec: WorkloadSpec): string {
  return image.replaceAll('{php}', spec.wordpress?.phpVersion || phpVersion);
}

/** The command of the official image with what Apache is told beside its files. */
export function apacheCommand(memoryBytes: number): string[] {
  const workers = Math.max(LEAST_WORKERS, Math.floor(memoryBytes / WORKER_BYTES));
  const lines = [`MaxRequestWorkers ${workers}`, 'php_value upload_max_filesize 64M', 'php_value post_max_size 72M'];
  return ['apache2-foreground', ...lines.flatMap((line) => ['-c', line])];
}

/** Folders that PHP and Apache write to beside their data, with mount options. */
export function wordpressTmpfs(user: string): Record<string, string> {
  const [uid, gid] = user.split(':');
  return { '/tmp': `rw,noexec,nosuid,size=128m,uid=${uid},gid=${gid}`, '/run': `rw,noexec,nosuid,size=16m,uid=${uid},gid=${gid}` };
}

/** The addresses of a site, the first as the spec has it. */
export function siteUrls(url: string, tlsPort: number | undefined): string[] {
  if (tlsPort === undefined) return [url];
  return [url, `https://${new URL(url).hostname}${tlsPort === 443 ? '' : `:${tlsPort}`}`];
}
