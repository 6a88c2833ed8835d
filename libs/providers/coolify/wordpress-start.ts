import { setupOf } from '../wordpress-install.js';
import { INSTALLED, installScriptFrom } from '../wordpress-script.js';
import { apacheCommand, WORDPRESS_CONFIG, WORDPRESS_FOLDER, type WordPressWorkload } from '../wordpress-config.js';

/** Variables of a service that hold its secrets: nothing else about it may. */
export const DATABASE_PASSWORD = 'SITE_DATABASE_PASSWORD';
export const ADMIN_PASSWORD = 'SITE_ADMIN_PASSWORD';
/** Which start of the site it is, in its environment and, for who asks with this header, in its answers. */
export const VERSION = 'SITE_VERSION';
export const VERSION_HEADER = 'x-hostplane-version';

const CONFIG = `${WORDPRESS_CONFIG}
if (isset($_SERVER['HTTP_${VERSION_HEADER.toUpperCase().replaceAll('-', '_')}'])) header('${VERSION_HEADER}: ' . getenv('${VERSION}'));`;

/** Answers nothing, or why the database cannot be signed in to. */
const REACH = String.raw`mysqli_report(MYSQLI_REPORT_OFF);
if (@mysqli_connect(getenv("WORDPRESS_DB_HOST"), getenv("WORDPRESS_DB_USER"), file_get_contents(getenv("WORDPRESS_DB_PASSWORD_FILE")), getenv("WORDPRESS_DB_NAME"))) exit(0);
echo mysqli_connect_error();
exit(1);`;

/**
 * What PHP's container does at each start, in sh: the image's own entrypoint brings the files, the database is waited for, WordPress is installed if it is not yet,
 * and only then there is a web server. So nobody ever meets the form that installs it. Neither password is in the web server's environment.
 */
export function wordpressStart(spec: WordPressWorkload, memoryBytes: number): string {
  return `set -eu
cd ${WORDPRESS_FOLDER}
export WORDPRESS_DB_PASSWORD_FILE=/run/database-password
(umask 077; printf %s "$${DATABASE_PASSWORD}" > "$WORDPRESS_DB_PASSWORD_FILE")
admin=$${ADMIN_PASSWORD}
unset ${DATABASE_PASSWORD} ${ADMIN_PASSWORD}
WORDPRESS_CONFIG_EXTRA=$(cat <<'HOSTPLANE'
${CONFIG}
HOSTPLANE
)
export WORDPRESS_CONFIG_EXTRA
docker-entrypoint.sh apache2 -v > /dev/null
before=
until said=$(php -d default_socket_timeout=5 -r '${REACH}' 2>&1); do
  [ "$said" = "$before" ] || echo "hostplane: the database does not answer yet: $said"
  before=$said
  sleep 1
done
${ADMIN_PASSWORD}=$admin php -d display_errors=stderr -- > /tmp/said 2>&1 <<'HOSTPLANE' || true
${installScriptFrom({ ...setupOf(spec), isRestored: false }, ADMIN_PASSWORD)}
HOSTPLANE
if ! tail -n 1 /tmp/said | grep -q '${INSTALLED}$'; then
  echo 'hostplane: WordPress could not be installed. PHP said:'
  sed -e 's/<[^>]*>//g' /tmp/said | grep -v '^[[:space:]]*$' | tail -n 15
  exit 1
fi
rm -f /tmp/said
exec docker-entrypoint.sh ${apacheCommand(memoryBytes).map((word) => `'${word}'`).join(' ')}
`;
}
