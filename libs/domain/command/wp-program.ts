/** Commands of wp-cli that are followed by one of their own (developer.wordpress.org/cli/commands). */
const GROUPS = new Set([
  'ability', 'admin', 'block', 'cache', 'cap', 'cli', 'comment', 'config', 'core', 'cron', 'db', 'embed', 'i18n', 'language', 'maintenance-mode', 'media', 'menu', 'network', 'option', 'package', 'plugin', 'post',
  'post-type', 'profile', 'rewrite', 'role', 'scaffold', 'sidebar', 'site', 'super-admin', 'taxonomy', 'term', 'theme', 'transient', 'user', 'widget',
]);

/** What may be told of a call of wp-cli: its command, and nothing of what that was given. */
export function wpProgram(argv: readonly string[]): string {
  const [group, command] = argv;
  if (group === undefined || !isWord(group)) return 'wp';
  return GROUPS.has(group) && command !== undefined && isWord(command) ? `wp ${group} ${command}` : `wp ${group}`;
}

/** Commands are words; options and values can be anything. */
const isWord = (text: string): boolean => /^[a-z][a-z0-9-]{0,29}$/.test(text);
