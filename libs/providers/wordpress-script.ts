/** What the script below is told. */
export interface WordPressSetup {
  /** Where visitors reach the site. */
  readonly url: string;
  readonly title: string;
  readonly adminUser: string;
  readonly adminEmail: string;
  readonly adminPassword: string;
  /** Empty: English. */
  readonly locale: string;
  /** What is there came from a backup: the administrator gets this password, and nobody is signed in any more. */
  readonly isRestored: boolean;
}

/** What the script prints when everything is in its place. */
export const INSTALLED = 'hostplane: installed';

/**
 * Installs WordPress, or goes on where an earlier run was killed, or finds that all is done; what came from another address is moved to this one. Two runs at once wait for each other in the database. Nothing is
 * asked of other servers meanwhile (WordPress would ask itself for its pretty addresses, which nobody can reach yet) and no mail is sent.
 */
const SCRIPT = String.raw`
define('WP_INSTALLING', true);
$url = parse_url($setup['url']);
$_SERVER['HTTP_HOST'] = $url['host'] . (isset($url['port']) ? ':' . $url['port'] : '');
$_SERVER['HTTPS'] = $url['scheme'] === 'https' ? 'on' : '';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
set_time_limit(300);
ob_start();
require '/var/www/html/wp-load.php';
function wp_new_blog_notification() {}
function hostplane_replaced($value, $pattern, $to) {
  if (is_array($value)) return array_map(fn($one) => hostplane_replaced($one, $pattern, $to), $value);
  if (!is_string($value)) return $value;
  if (!is_serialized($value)) return preg_replace($pattern, $to, $value);
  $inner = @unserialize($value, ['allowed_classes' => false]);
  return is_array($inner) ? serialize(hostplane_replaced($inner, $pattern, $to)) : $value;
}
function hostplane_move($from, $to) {
  global $wpdb;
  $host = parse_url($from, PHP_URL_HOST);
  $pattern = '#https?:(\\\\?/\\\\?/)' . preg_quote($host, '#') . '(?::\d+)?(?![A-Za-z0-9-]|\.[A-Za-z0-9])#';
  $into = str_replace('://', ':$1', $to);
  $texts = [$wpdb->posts => ['ID', 'post_content', 'post_excerpt'], $wpdb->postmeta => ['meta_id', 'meta_value'], $wpdb->comments => ['comment_ID', 'comment_content'], $wpdb->commentmeta => ['meta_id', 'meta_value'], $wpdb->termmeta => ['meta_id', 'meta_value'], $wpdb->usermeta => ['umeta_id', 'meta_value'], $wpdb->options => ['option_id', 'option_value']];
  foreach ($texts as $table => $columns) {
    $key = array_shift($columns);
    foreach ($columns as $column) {
      foreach ($wpdb->get_results($wpdb->prepare("SELECT $key AS id, $column AS text FROM $table WHERE $column LIKE %s", '%' . $wpdb->esc_like($host) . '%')) as $row) {
        $text = $row->text === $from ? $from : hostplane_replaced($row->text, $pattern, $into);
        if ($text !== null && $text !== $row->text) $wpdb->update($table, [$column => $text], [$key => $row->id]);
      }
    }
  }
  $wpdb->query($wpdb->prepare("UPDATE $wpdb->options SET option_value = %s WHERE option_name IN ('home', 'siteurl')", $to));
}
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/translation-install.php';
$offline = fn() => new WP_Error('http_request_not_executed', 'Not while it is being installed.');
add_filter('pre_wp_mail', '__return_false');
global $wpdb, $wp_rewrite;
if ($wpdb->get_var($wpdb->prepare('SELECT GET_LOCK(CONCAT(%s, DATABASE()), 120)', 'install.')) !== '1') throw new Exception('Another installation is under way.');
if ($setup['locale'] !== '') {
  require_once ABSPATH . 'wp-admin/includes/file.php';
  require_once ABSPATH . 'wp-admin/includes/misc.php';
  add_filter('http_request_timeout', fn() => 5);
  wp_download_language_pack($setup['locale']);
  load_default_textdomain($setup['locale']);
}
add_filter('pre_http_request', $offline);
wp_cache_flush();
$stored = is_blog_installed() ? $wpdb->get_var("SELECT option_value FROM $wpdb->options WHERE option_name = 'siteurl'") : null;
if ($stored !== null && $stored !== $setup['url']) hostplane_move($stored, $setup['url']);
$people = is_blog_installed() ? (int) $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->users") : 0;
if ($people === 0) wp_install($setup['title'], $setup['adminUser'], $setup['adminEmail'], true, '', $setup['adminPassword'], $setup['locale']);
$admin = get_user_by('login', $setup['adminUser']);
if ($setup['isRestored'] && $admin) wp_set_password($setup['adminPassword'], $admin->ID);
if ($setup['isRestored']) WP_Session_Tokens::destroy_all_for_all_users();
if (!get_option('hostplane_installed')) {
  if ($admin && !user_can($admin, 'manage_options')) $admin->set_role('administrator');
  if ($admin && (int) $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->posts") === 0) wp_install_defaults($admin->ID);
  if (get_option('permalink_structure') === '') $wp_rewrite->set_permalink_structure('/%year%/%monthnum%/%day%/%postname%/');
  update_option('default_pingback_flag', '0');
  flush_rewrite_rules(false);
  update_option('hostplane_installed', '1', false);
}
ob_end_clean();
echo 'hostplane: installed';
`;

/** The script with its parameters, to be piped to \`php --\`: in its arguments others could read the password. */
export function installScript(setup: WordPressSetup): string {
  return `<?php\n$setup = ${given(setup)};\n${SCRIPT}`;
}

/** The same without the password, which it reads from a variable of its environment. */
export function installScriptFrom(setup: Omit<WordPressSetup, 'adminPassword'>, variable: string): string {
  return `<?php\n$setup = ${given(setup)} + ['adminPassword' => getenv('${variable}')];\n${SCRIPT}`;
}

const given = (setup: object): string => `json_decode(base64_decode('${Buffer.from(JSON.stringify(setup)).toString('base64')}'), true)`;
