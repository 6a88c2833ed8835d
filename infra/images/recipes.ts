/** A stand-in for an image that a machine without a registry cannot pull: Debian packages unpacked, a few files laid over them. */
export interface Recipe {
  /** Also the folder beside this file with what is laid over. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Whether what the packages depend on comes too; a static program needs nothing. */
  readonly dependencies: boolean;
  /** Packages of which nothing else is wanted, whatever they depend on. */
  readonly alone?: readonly string[];
  /** Folders that must be there and that anybody may write to. */
  readonly writable: readonly string[];
  /** Everything else that was unpacked is left out; all of it when empty. Paths from the root, without a slash. */
  readonly keep: readonly string[];
  /** As a Dockerfile says it. */
  readonly changes: readonly string[];
  /** A line of shell that is run inside, as root, once everything is in its place. */
  readonly finish?: string;
}

const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const recipes = {
  /** Serves /srv with busybox' httpd; 2 MB. */
  static: {
    name: 'static',
    packages: ['busybox-static'],
    dependencies: false,
    writable: ['tmp'],
    keep: ['bin/busybox', 'usr/bin/busybox'],
    changes: [PATH, 'CMD ["/bin/busybox","httpd","-f","-p","80","-h","/srv"]', 'EXPOSE 80'],
  },
  /** nginx in the official image's layout, with njs. */
  nginx: {
    name: 'nginx',
    packages: ['nginx-light', 'libnginx-mod-http-js', 'busybox-static'],
    dependencies: true,
    writable: ['tmp', 'var/tmp', 'run', 'var/cache/nginx', 'var/log/nginx', 'var/lib/nginx'],
    keep: [],
    changes: [PATH, 'CMD ["nginx","-g","daemon off;"]', 'EXPOSE 80'],
  },
  /** An app that its environment tells to be slow, unhealthy or short-lived: see app/run. */
  app: {
    name: 'app',
    packages: ['busybox-static'],
    dependencies: false,
    writable: ['tmp'],
    keep: ['bin/busybox', 'usr/bin/busybox'],
    changes: [PATH, 'USER 65534:65534', 'CMD ["/app/run"]', 'EXPOSE 8080'],
  },
  /** MariaDB with the official image's interface; its first start copies a data folder that was made here. */
  mariadb: {
    name: 'mariadb',
    packages: ['mariadb-server-core', 'mariadb-client-core', 'mariadb-common', 'libstdc++6', 'busybox-static'],
    dependencies: true,
    // mariadb-dump is in it, and perl would come with it.
    alone: ['mariadb-client'],
    writable: ['tmp', 'var/tmp', 'run/mysqld', 'var/lib/mysql'],
    keep: [],
    changes: [PATH, 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["mariadbd"]', 'VOLUME /var/lib/mysql', 'EXPOSE 3306'],
    finish:
      'mariadb-install-db --user=root --datadir=/usr/share/mysql-seed --rpm --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve --innodb-log-file-size=16M >/dev/null; ' +
      'chmod -R a+rX /usr/share/mysql-seed',
  },
  /** WordPress and PHP under Apache with the official image's interface. */
  wordpress: {
    name: 'wordpress',
    packages: [
      'apache2-bin', 'libapache2-mod-php', 'php-cli', 'php-mysql', 'php-gd', 'php-mbstring', 'php-xml', 'php-zip', 'php-curl', 'wordpress',
      'wordpress-theme-twentytwentyfive', 'ca-certificates', 'media-types', 'busybox-static',
    ],
    dependencies: true,
    writable: ['tmp', 'var/tmp', 'var/www/html', 'run/apache2'],
    keep: [],
    changes: [PATH, 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["apache2-foreground"]', 'VOLUME /var/www/html', 'WORKDIR /var/www/html', 'EXPOSE 80'],
    finish:
      'ln -sfn /run /var/run; cat /usr/share/ca-certificates/mozilla/*.crt > /etc/ssl/certs/ca-certificates.crt; cp -rL /usr/share/wordpress /usr/src/; rm -rf /usr/share/wordpress /usr/src/wordpress/wp-config.php; ' +
      'mkdir -p /usr/src/wordpress/wp-content/uploads; mv /usr/src/htaccess /usr/src/wordpress/.htaccess; chmod -R a+rX /usr/src; ' +
      'for php in /etc/php/*; do for use in apache2 cli; do rm -rf $php/$use/conf.d; mkdir -p $php/$use/conf.d; ln -s /usr/local/etc/php/conf.d/wordpress.ini $php/$use/conf.d/; done; ' +
      'ln -sf php${php##*/} /usr/bin/php; echo "LoadModule php_module /usr/lib/apache2/modules/libphp${php##*/}.so" > /etc/apache2/php.load; done',
  },
} as const satisfies Record<string, Recipe>;

export type ImageName = keyof typeof recipes;

/** How tests name the images, for example hostplane-test/static. */
export function testImage(name: ImageName): string {
  return `hostplane-test/${name}:latest`;
}
