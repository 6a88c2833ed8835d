import { describe, expect, it } from '@jest/globals';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { databaseRequest, passwordHash } from './database-requests.js';
import { busyboxImage, defaultSettings, type DockerSettings } from './settings.js';
import { ensureSql, removeSql } from './sql.js';
import { wordpressImage } from '../wordpress-config.js';
import { wordpressRequest, wordpressVolumeRequest } from './wordpress-request.js';

const ID = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const OTHER = '0190b4c6-7f3e-7c3a-9a57-0123456789ac';
const SHORT = 'agiljrt7hz6dvgsxaerukz4jvm';
const settings: DockerSettings = { ...defaultSettings, plane: 'p', staticImage: busyboxImage('b'), wordpress: { ...defaultSettings.wordpress, tlsPort: 8443 } };
const wordpress = { phpVersion: '', title: 'T', adminUser: 'admin', adminEmail: '', locale: '', database: 'own' };
const spec = { ...WorkloadSpec.fromJSON({ siteId: ID, projectId: ID, name: 'blog', kind: 'wordpress', address: '10.77.0.2', power: 'running', url: 'http://blog.localhost:8080' }), wordpress };

describe('a WordPress container', () => {
  it('has these mounts, this environment and these limits, and no secret in any of them', () => {
    const { Env, User, Cmd, HostConfig } = wordpressRequest(settings, { ...spec, limits: { memoryBytes: 240 * 1024 ** 2, cpuMillis: 500, pids: 0 } }, 'hash', 'data-volume');
    const [extra] = (Env ?? []).filter((line) => line.startsWith('WORDPRESS_CONFIG_EXTRA='));
    expect(extra).toContain("define('DISABLE_WP_CRON', true);");
    expect([User, Env?.filter((line) => line !== extra)]).toEqual(['33:33', [
      'WORDPRESS_DB_HOST=localhost:/hostplane-database/mysqld.sock', `WORDPRESS_DB_NAME=hp_${SHORT}`, `WORDPRESS_DB_USER=hp_${SHORT}`,
      'WORDPRESS_DB_PASSWORD_FILE=/hostplane-secrets/database-password', 'SITE_URLS=http://blog.localhost:8080 https://blog.localhost:8443',
    ]]);
    expect(Cmd).toEqual(['apache2-foreground', '-c', 'MaxRequestWorkers 5', '-c', 'php_value upload_max_filesize 64M', '-c', 'php_value post_max_size 72M']);
    expect(HostConfig).toMatchObject({
      ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'], RestartPolicy: { Name: 'unless-stopped' }, Memory: 240 * 1024 ** 2, NanoCpus: 5e8, PidsLimit: 256,
      Mounts: [
        { Type: 'volume', Source: 'data-volume', Target: '/var/www/html', ReadOnly: false },
        { Type: 'volume', Source: `hp-db-socket-${SHORT}`, Target: '/hostplane-database', ReadOnly: true },
        { Type: 'volume', Source: `hp-secret-blog-${SHORT}`, Target: '/hostplane-secrets', ReadOnly: false },
      ],
    });
  });
  it('is of the image for its version of PHP, or the host\'s', () => {
    expect([wordpressImage(settings.wordpress, spec), wordpressImage(settings.wordpress, { ...spec, wordpress: { ...wordpress, phpVersion: '8.1' } })]).toEqual(['wordpress:6.8-php8.3-apache', 'wordpress:6.8-php8.1-apache']);
  });
  it('has the data volume of the site whose data it took over', () => {
    expect(wordpressVolumeRequest(settings, { ...spec, siteId: OTHER, name: 'new', dataId: ID })).toEqual({
      Name: `hp-data-new-${SHORT}`,
      Labels: { 'hostplane.plane': 'p', 'hostplane.project': ID, 'hostplane.site': ID, 'hostplane.role': 'data', 'hostplane.path': '/var/www/html' },
    });
  });
  it('serves at the usual port of TLS without saying it', () => {
    const { Env } = wordpressRequest({ ...settings, wordpress: { ...settings.wordpress, tlsPort: 443 } }, spec, 'hash', 'v');
    expect(Env).toContain('SITE_URLS=http://blog.localhost:8080 https://blog.localhost');
  });
});

describe('a database server', () => {
  it('has no network, and of root\'s password the name of a file with its hash', () => {
    const { Env, HostConfig } = databaseRequest(settings, ID);
    expect(Env?.[0]).toBe('MARIADB_ROOT_PASSWORD_HASH_FILE=/hostplane-secrets/root-password-hash');
    expect(HostConfig).toMatchObject({ NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], Memory: 1024 ** 3 });
  });
  // MariaDB: SELECT PASSWORD('mariadb')
  it('takes hashes as MariaDB makes them', () => expect(passwordHash('mariadb')).toBe('*54958E764CE10E50764C2EECBB71D01F08549980'));
  it('is told names and passwords so that they mean only themselves', () => {
    const database = { siteId: ID, projectId: ID, dataId: '', runtime: 'docker', server: 'own', passwordSecret: '' };
    expect(ensureSql(database, `a'b\\c`).split('\n')).toEqual([
      `CREATE DATABASE IF NOT EXISTS \`hp_${SHORT}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;`,
      `CREATE USER IF NOT EXISTS \`hp_${SHORT}\`@localhost IDENTIFIED BY 'a''b\\\\c';`,
      `ALTER USER \`hp_${SHORT}\`@localhost IDENTIFIED BY 'a''b\\\\c' WITH MAX_USER_CONNECTIONS 100 ACCOUNT UNLOCK;`,
      `GRANT ALL ON \`hp\\_${SHORT}\`.* TO \`hp_${SHORT}\`@localhost;`,
    ]);
    expect(removeSql(database, false)).toBe(`DROP USER IF EXISTS \`hp_${SHORT}\`@localhost;\nDROP DATABASE IF EXISTS \`hp_${SHORT}\`;`);
    expect(removeSql({ ...database, siteId: OTHER, dataId: ID }, true)).toBe(`ALTER USER IF EXISTS \`hp_${SHORT}\`@localhost ACCOUNT LOCK;`);
  });
});
