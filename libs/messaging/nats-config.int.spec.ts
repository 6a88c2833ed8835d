import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectAs, freshBus } from '../../test/support/bus.js';
import { startNats, type TestNats } from '../../test/support/nats.js';
import type { BusUser } from './subjects.js';

let nats: TestNats;
let admin: NatsConnection;

beforeAll(async () => {
  nats = await startNats();
  admin = await connectAs(nats, 'admin');
  await freshBus(admin, { hosts: ['local'] });
});

afterAll(async () => {
  await admin?.close();
  await nats?.stop();
});

/** What the server says when a user does something: nothing, or that it may not. */
async function verdict(user: BusUser, act: 'publish' | 'subscribe', subject: string): Promise<'allowed' | 'denied'> {
  const connection = await connectAs(nats, user);
  let denied = false;
  void (async () => {
    for await (const status of connection.status()) if (status.type === 'error' && /permissions violation/i.test(status.error.message)) denied = true;
  })();
  if (act === 'publish') connection.publish(subject, '{}');
  else connection.subscribe(subject, { callback: () => undefined });
  await connection.flush();
  await connection.flush();
  await connection.close();
  return denied ? 'denied' : 'allowed';
}

describe('on the bus', () => {
  it.each<[BusUser, 'publish' | 'subscribe', string, 'allowed' | 'denied']>([
    ['api-gateway', 'publish', 'ask.lifecycle.CreateSite', 'allowed'],
    ['api-gateway', 'publish', 'ask.secrets.ShowPublicKey', 'allowed'],
    ['api-gateway', 'publish', 'ask.secrets.OpenSecrets', 'denied'],
    ['provisioner', 'publish', 'ask.secrets.OpenSecrets', 'allowed'],
    ['provisioner', 'publish', 'ask.secrets.ShowPublicKey', 'denied'],
    ['lifecycle', 'publish', 'ask.secrets.OpenSecrets', 'denied'],
    ['domains', 'publish', 'ask.secrets.OpenSecrets', 'denied'],
    ['relay', 'publish', 'ask.secrets.OpenSecrets', 'denied'],
    ['subscriber', 'publish', 'ask.secrets.OpenSecrets', 'denied'],
    ['secrets', 'subscribe', 'ask.secrets.OpenSecrets', 'allowed'],
    ['secrets', 'subscribe', 'ask.lifecycle.>', 'denied'],
    ['lifecycle', 'subscribe', 'ask.secrets.>', 'denied'],
    ['lifecycle', 'subscribe', '_INBOX_provisioner.>', 'denied'],
    ['lifecycle', 'publish', 'cmd.secrets.EnsureSecrets.p', 'denied'],
    ['api-gateway', 'subscribe', 'cmd.host.>', 'denied'],
    ['api-gateway', 'subscribe', 'ask.lifecycle.>', 'denied'],
    ['api-gateway', 'subscribe', '>', 'denied'],
    ['api-gateway', 'subscribe', '_INBOX_lifecycle.>', 'denied'],
    ['api-gateway', 'publish', 'evt.site.SiteActivated.s1', 'denied'],
    ['api-gateway', 'publish', 'cmd.host.local.EnsureWorkload.s1', 'denied'],
    ['api-gateway', 'publish', 'ask.provisioner.Anything', 'denied'],
    ['api-gateway', 'publish', 'ask.host.local.Anything', 'allowed'],
    ['api-gateway', 'publish', 'ask.host.other.Anything', 'denied'],
    ['api-gateway', 'subscribe', 'ask.host.local.Anything', 'denied'],
    ['api-gateway', 'publish', '$JS.API.STREAM.MSG.GET.LOG', 'denied'],
    ['api-gateway', 'publish', '$JS.API.CONSUMER.MSG.NEXT.LOG.provisioner-local', 'denied'],
    ['api-gateway', 'publish', 'resend.lifecycle', 'denied'],
    ['lifecycle', 'subscribe', 'ask.lifecycle.CreateSite', 'allowed'],
    ['lifecycle', 'publish', '$JS.API.CONSUMER.MSG.NEXT.LOG.lifecycle-3', 'allowed'],
    ['lifecycle', 'publish', '$JS.ACK.LOG.lifecycle-3.1.2.3.4.5', 'allowed'],
    ['lifecycle', 'publish', '$JS.ACK.d.h.LOG.lifecycle-3.1.2.3.4.5.6', 'allowed'],
    ['lifecycle', 'publish', '$JS.ACK.LOG.domains-3.1.2.3.4.5', 'denied'],
    ['lifecycle', 'publish', '$JS.API.CONSUMER.MSG.NEXT.LOG.domains-3', 'denied'],
    ['lifecycle', 'publish', '$JS.API.CONSUMER.DELETE.LOG.lifecycle-3', 'denied'],
    ['lifecycle', 'publish', '$JS.API.CONSUMER.DURABLE.CREATE.LOG.mine', 'denied'],
    ['lifecycle', 'publish', 'cmd.host.local.EnsureWorkload.s1', 'denied'],
    ['lifecycle', 'publish', '_INBOX_api-gateway.x.y', 'denied'],
    ['domains', 'subscribe', 'ask.lifecycle.>', 'denied'],
    ['domains', 'subscribe', 'evt.>', 'denied'],
    ['domains', 'publish', 'ask.host.local.Anything', 'denied'],
    ['provisioner', 'publish', '$JS.API.CONSUMER.MSG.NEXT.LOG.provisioner-local', 'allowed'],
    ['provisioner', 'publish', '$JS.API.CONSUMER.MSG.NEXT.LOG.provisioner-other', 'denied'],
    ['provisioner', 'subscribe', 'cmd.host.>', 'denied'],
    ['provisioner', 'subscribe', 'ask.host.local.Anything', 'allowed'],
    ['provisioner', 'subscribe', 'ask.host.other.Anything', 'denied'],
    ['provisioner', 'publish', 'ask.host.local.Anything', 'denied'],
    ['relay', 'publish', 'evt.site.SiteActivated.s1', 'allowed'],
    ['relay', 'publish', '$JS.API.STREAM.DELETE.LOG', 'denied'],
    ['relay', 'publish', '$JS.API.STREAM.UPDATE.LOG', 'denied'],
    ['relay', 'publish', '$JS.API.STREAM.PURGE.LOG', 'denied'],
    ['relay', 'publish', 'ask.lifecycle.CreateSite', 'denied'],
    ['relay', 'subscribe', 'evt.>', 'denied'],
    ['subscriber', 'subscribe', 'evt.>', 'allowed'],
    ['subscriber', 'subscribe', 'cmd.>', 'denied'],
    ['subscriber', 'subscribe', 'ask.>', 'denied'],
    ['subscriber', 'publish', 'ask.host.local.Anything', 'denied'],
    ['subscriber', 'publish', 'evt.site.SiteActivated.s1', 'denied'],
    ['subscriber', 'publish', '$JS.API.CONSUMER.DURABLE.CREATE.LOG.mine', 'denied'],
    ['subscriber', 'publish', '$JS.API.CONSUMER.CREATE.LOG.mine.evt.>', 'denied'],
    ['subscriber', 'publish', '$JS.API.CONSUMER.MSG.NEXT.LOG.lifecycle-0', 'denied'],
  ])('%s that wants to %s %s is %s', async (user, act, subject, expected) => {
    expect(await verdict(user, act, subject)).toBe(expected);
  });

  it('nobody gets in with a wrong password', async () => {
    const wrong = { ...nats, url: () => nats.url('lifecycle').replace('test-lifecycle', 'wrong') };
    await expect(connectAs(wrong, 'lifecycle')).rejects.toThrow(/authorization/i);
  });
});
