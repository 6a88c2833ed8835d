import { randomUUID } from 'node:crypto';
import { Engine } from '#providers/docker/engine.js';
import { INSTALLED, installScript } from '#providers/wordpress-script.js';
import { testImage } from '../../infra/images/recipes.js';
import type { BareNginx } from './bare-nginx.js';
import { untilServed } from './until-served.js';

const LABEL = 'hostplane-bench-wordpress';
const CLIENT = ['mariadb', '--no-defaults', '-uroot', '-pbench', '-NB'];

/** WordPress by nothing but the calls of an engine, an SQL client and nginx: what a site costs at least, beside a database server that is there. */
export class BareWordPress {
  private readonly engine = new Engine();
  private readonly name = `${LABEL}-${process.pid}`;
  private readonly labels = { [this.name]: '' };
  private database = '';
  private count = 0;

  private constructor(private readonly prefix: string) {}

  /** With a network whose addresses begin so, for example 10.80.255. */
  static async start(prefix: string): Promise<BareWordPress> {
    const bare = new BareWordPress(prefix);
    const { engine, name, labels } = bare;
    await engine.createNetwork({ Name: name, Labels: labels, IPAM: { Driver: 'default', Config: [{ Subnet: `${prefix}.0/24`, Gateway: `${prefix}.1` }] } });
    const Mounts = [{ Type: 'volume' as const, Source: `${name}-socket`, Target: '/run/mysqld' }];
    bare.database = await engine.createContainer({ name, Image: testImage('mariadb'), Labels: labels, User: '999:999', Env: ['MARIADB_ROOT_PASSWORD=bench'], HostConfig: { NetworkMode: 'none', Mounts } });
    await engine.startContainer(bare.database);
    while ((await engine.exec(bare.database, CLIENT, 'SELECT 1;')).exitCode !== 0) continue;
    return bare;
  }

  /** From nothing to the first page through nginx. */
  async launch(nginx: BareNginx, host: string): Promise<void> {
    const id = `bare_${++this.count}`;
    const address = `${this.prefix}.${1 + this.count}`;
    await this.engine.exec(this.database, CLIENT, `CREATE DATABASE ${id}; CREATE USER ${id}@localhost IDENTIFIED BY 'bench'; GRANT ALL ON ${id}.* TO ${id}@localhost;`);
    const container = await this.engine.createContainer({
      name: `${this.name}-${id}`, Image: testImage('wordpress'), Labels: this.labels, User: '33:33',
      Env: ['WORDPRESS_DB_HOST=localhost:/database/mysqld.sock', `WORDPRESS_DB_NAME=${id}`, `WORDPRESS_DB_USER=${id}`, 'WORDPRESS_DB_PASSWORD=bench', "WORDPRESS_CONFIG_EXTRA=define('DISABLE_WP_CRON', true);"],
      HostConfig: { NetworkMode: this.name, Mounts: [{ Type: 'volume', Source: `${this.name}-socket`, Target: '/database' }, { Type: 'volume', Source: `${this.name}-${id}`, Target: '/var/www/html' }] },
      NetworkingConfig: { EndpointsConfig: { [this.name]: { IPAMConfig: { IPv4Address: address } } } },
    });
    await this.engine.startContainer(container);
    await untilServed(`http://${address}/readme.html`);
    const setup = { url: `http://${host}:${nginx.port}`, title: id, adminUser: 'admin', adminEmail: 'admin@example.org', adminPassword: randomUUID(), locale: '', isRestored: false };
    const { stdout } = await this.engine.exec(container, ['php', '--'], installScript(setup));
    if (!stdout.endsWith(INSTALLED)) throw new Error(`The bare WordPress was not installed: ${stdout}`);
    await nginx.route(host, `${address}:80`);
  }

  async stop(): Promise<void> {
    for (const { Id } of await this.engine.containers(this.labels)) await this.engine.removeContainer(Id);
    for (const name of ['socket', ...Array.from({ length: this.count }, (_, n) => `bare_${n + 1}`)]) await this.engine.removeVolume(`${this.name}-${name}`);
    for (const { Id } of await this.engine.networks(this.labels)) await this.engine.removeNetwork(Id);
  }
}
