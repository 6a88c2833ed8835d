#!/bin/sh
# The official wordpress image's interface: what is missing in the working directory is copied there, and the settings are read from the
# environment whenever a page is made.
set -e
case "$1" in
  apache2*)
    if [ ! -e index.php ] && [ ! -e wp-includes/version.php ]; then
      echo >&2 "WordPress not found in $PWD - copying now..."
      cp -r /usr/src/wordpress/. .
    fi
    if [ ! -s wp-config.php ] && env | grep -q '^WORDPRESS_'; then
      awk '/put your unique phrase here/ { c = "head -c 64 /dev/urandom | sha1sum | cut -d\\  -f1"; c | getline s; close(c); gsub("put your unique phrase here", s) } { print }' /usr/src/wp-config-docker.php > wp-config.php
    fi
    ;;
esac
exec "$@"
