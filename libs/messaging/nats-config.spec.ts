import { describe, expect, it } from '@jest/globals';
import { permissionsOf, renderNatsConfig } from './nats-config.js';
import { BUS_USERS, type BusUser } from './subjects.js';

const passwords = Object.fromEntries(BUS_USERS.map((user) => [user, `pw "${user}"`])) as Record<BusUser, string>;
const options = { port: 4333, storeDir: '/data/nats', passwords, hosts: ['local'] };

const pulling = (durable: string): string[] => [
  `$JS.API.CONSUMER.INFO.LOG.${durable}`, `$JS.API.CONSUMER.MSG.NEXT.LOG.${durable}`, `$JS.ACK.LOG.${durable}.>`, `$JS.ACK.*.*.LOG.${durable}.>`,
];
const partitions = (app: string): string[] => [0, 1, 2, 3, 4, 5, 6, 7].map((partition) => `${app}-${partition}`);

describe("nats-server's config", () => {
  it('listens on loopback only, keeps streams in a folder, and has a user for each app', () => {
    const config = JSON.parse(renderNatsConfig(options)) as { authorization: { users: { user: string; password: string }[] } };
    const { authorization, ...rest } = config;
    expect(rest).toEqual({
      server_name: 'hostplane', host: '127.0.0.1', port: 4333, max_payload: 1_048_576,
      jetstream: { store_dir: '/data/nats', max_memory_store: 67_108_864, max_file_store: 10_737_418_240 },
    });
    expect(authorization.users.map(({ user, password }) => [user, password])).toEqual(BUS_USERS.map((user) => [user, `pw "${user}"`]));
  });

  it('joins a cluster when it is told one, and is the same for the rest', () => {
    const routes = ['127.0.0.1:6221', '127.0.0.1:6222'];
    const cluster = { name: 'plane', password: 'p/w', serverName: 'n2', port: 6222, routes };
    expect(JSON.parse(renderNatsConfig({ ...options, cluster }))).toEqual({
      ...(JSON.parse(renderNatsConfig(options)) as object),
      server_name: 'n2',
      cluster: {
        name: 'plane', host: '127.0.0.1', port: 6222, authorization: { user: 'route', password: 'p/w' },
        routes: ['nats-route://route:p%2Fw@127.0.0.1:6221', 'nats-route://route:p%2Fw@127.0.0.1:6222'],
      },
    });
  });

  it('is the same for the same options', () => {
    expect(renderNatsConfig(options)).toBe(renderNatsConfig({ ...options }));
  });

  it('lets the gateway ask lifecycle, domains and the hosts, ask the vault for what members may, hear the doorbell, and nothing else', () => {
    expect(permissionsOf('api-gateway', ['local', 'h2'])).toEqual({
      permissions: { publish: { allow: ['bell.log', 'ask.lifecycle.>', 'ask.domains.>', 'ask.host.local.>', 'ask.host.h2.>', 'ask.secrets.ShowPublicKey', 'ask.secrets.StoreSecret', 'ask.secrets.RevealSecret', 'ask.secrets.RotateSecret', 'ask.secrets.RevokeSecret', 'ask.secrets.RotateMasterKey'] }, subscribe: { allow: ['_INBOX_api-gateway.>', 'bell.log'] } },
    });
  });

  it('lets outsiders read events, and nothing else', () => {
    expect(permissionsOf('subscriber', ['local'])).toEqual({
      permissions: { publish: { allow: pulling('subscriber') }, subscribe: { allow: ['_INBOX_subscriber.>', 'evt.>'] } },
    });
  });

  it.each(['lifecycle', 'domains', 'secrets'] as const)('lets %s pull its own durables and answer its own asks', (app) => {
    expect(permissionsOf(app, ['local'])).toEqual({
      permissions: {
        publish: { allow: ['bell.log', ...(app === 'domains' ? ['ask.secrets.MakeSigningRequest', 'ask.secrets.OpenAccountKey'] : []), ...partitions(app).flatMap(pulling)] },
        subscribe: { allow: [`_INBOX_${app}.>`, 'bell.log', `ask.${app}.>`, `resend.${app}`] },
        allow_responses: { max: 1, expires: '15m' },
      },
    });
  });

  it('lets provisioners pull the durables of their hosts and answer what is asked of these', () => {
    expect(permissionsOf('provisioner', ['local', 'h2'])).toEqual({
      permissions: {
        publish: { allow: ['bell.log', 'ask.secrets.OpenSecrets', ...pulling('provisioner-local'), ...pulling('provisioner-h2')] },
        subscribe: { allow: ['_INBOX_provisioner.>', 'bell.log', 'ask.host.local.>', 'ask.host.h2.>', 'resend.provisioner-local', 'resend.provisioner-h2'] },
        allow_responses: { max: 1, expires: '15m' },
      },
    });
  });

  it('lets the relay publish the log and make what is missing, but change and delete nothing', () => {
    const { permissions } = permissionsOf('relay', ['local']);
    const made = [...partitions('lifecycle'), ...partitions('domains'), ...partitions('secrets'), 'provisioner-local', 'subscriber'];
    expect(permissions).toEqual({
      publish: {
        allow: [
          'evt.>', 'cmd.>', 'bell.log',
          '$JS.API.STREAM.INFO.LOG', '$JS.API.STREAM.CREATE.LOG', '$JS.API.STREAM.INFO.DEAD', '$JS.API.STREAM.CREATE.DEAD',
          '$JS.API.STREAM.MSG.GET.LOG', '$JS.API.CONSUMER.LIST.LOG', ...made.map((name) => `$JS.API.CONSUMER.DURABLE.CREATE.LOG.${name}`),
        ],
      },
      subscribe: { allow: ['_INBOX_relay.>', 'bell.log'] },
    });
  });
});
