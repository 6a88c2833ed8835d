#!/bin/sh
# The official mariadb image's interface, as far as a database server needs it: MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH,
# MARIADB_ROOT_HOST, MARIADB_DATABASE, MARIADB_USER, MARIADB_PASSWORD, each also as the name of a file in …_FILE; anything else is run as it is. Passwords
# and the database are made at the first start alone.
set -e
case "${1:-mariadbd}" in -*) set -- mariadbd "$@" ;; esac
[ "$1" = mariadbd ] || exec "$@"
DATADIR=/var/lib/mysql
value_of() {
  eval "value=\${$1:-}; file=\${$1_FILE:-}"
  if [ -n "$value" ]; then printf %s "$value"; elif [ -n "$file" ]; then cat "$file"; fi
}
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/\\\\'/g")"; }
name_of() { printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"; }
password=$(value_of MARIADB_ROOT_PASSWORD)
hash=$(value_of MARIADB_ROOT_PASSWORD_HASH)
if [ ! -e "$DATADIR/.initialised" ]; then
  [ -n "$password$hash" ] || { echo >&2 "Database is uninitialized and password option is not specified"; exit 1; }
  [ -d "$DATADIR/mysql" ] || cp -r /usr/share/mysql-seed/. "$DATADIR/"
  host=$(value_of MARIADB_ROOT_HOST)
  if [ -n "$hash" ]; then by="PASSWORD $(quoted "$hash")"; else by=$(quoted "$password"); fi
  (umask 077; {
    echo "DROP USER IF EXISTS root@'127.0.0.1', root@'::1';"
    echo "CREATE USER IF NOT EXISTS root@$(quoted "${host:-%}");"
    echo "GRANT ALL ON *.* TO root@$(quoted "${host:-%}") WITH GRANT OPTION;"
    echo "ALTER USER root@$(quoted "${host:-%}") IDENTIFIED BY $by;"
    echo "ALTER USER root@localhost IDENTIFIED BY $by;"
    database=$(value_of MARIADB_DATABASE)
    user=$(value_of MARIADB_USER)
    [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS $(name_of "$database");"
    if [ -n "$user" ]; then
      echo "CREATE USER IF NOT EXISTS $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(value_of MARIADB_PASSWORD)");"
      [ -z "$database" ] || echo "GRANT ALL ON $(name_of "$database" | sed 's/_/\\_/g').* TO $(quoted "$user")@'%';"
    fi
    echo "SELECT 1 INTO OUTFILE '$DATADIR/.initialised';"
  } > "$DATADIR/.init.sql")
  set -- "$@" --init-file="$DATADIR/.init.sql"
fi
unset MARIADB_ROOT_PASSWORD MARIADB_ROOT_PASSWORD_HASH MARIADB_PASSWORD
exec "$@"
