import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cause } from '#contracts/message.js';
import type { Messages } from '#contracts/registry.js';
import { Refusal } from '#domain/refusal.js';
import { connectAs, freshBus, silent, startApp, until, type TestApp } from '../../test/support/bus.js';
import { startNats, type TestNats } from '../../test/support/nats.js';
import { BusClient } from './bus-client.js';
import { OnAsk } from './handlers.js';
import { hostAddress } from './subjects.js';
import { Unavailable } from './unavailable.js';

const cause: Cause = { id: 'request-1', meta: { correlationId: 'c-1', causationId: 'c-1', actor: 'token:Zoë', owner: 'o-1', traceparent: '00-aa-bb-01' } };
const data = { operationId: 'o1', reason: 'Because.' };

let nats: TestNats;
let admin: NatsConnection;
let client: BusClient;
const apps: TestApp[] = [];

beforeAll(async () => {
  const hosts = ['local', 'h2'];
  nats = await startNats({ hosts });
  admin = await connectAs(nats, 'admin');
  await freshBus(admin, { hosts });
  client = await BusClient.connect({ url: nats.url('api-gateway'), app: 'api-gateway', log: silent });
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

afterAll(async () => {
  await client?.close();
  await admin?.close();
  await nats?.stop();
});

type Answering = (data: Messages['CancelOperation'], cause: Cause) => unknown;

const lifecycle = (answer: Answering): Promise<TestApp> => answering({ app: 'lifecycle' }, answer);
const provisioner = (hostId: string, answer: Answering): Promise<TestApp> => answering({ app: 'provisioner', hostId }, answer);

async function answering(options: { app: 'lifecycle' | 'provisioner'; hostId?: string }, answer: Answering): Promise<TestApp> {
  @Controller()
  class Operations {
    @OnAsk('CancelOperation')
    on(asked: Messages['CancelOperation'], by: Cause): unknown {
      return answer(asked, by);
    }
  }
  const app = await startApp(nats, options, Operations);
  apps.push(app);
  return app;
}

const ask = (timeoutMs?: number): Promise<unknown> => client.ask('lifecycle', 'CancelOperation', data, cause, timeoutMs);

describe('an ask', () => {
  it('is answered, and carries who asks and why', async () => {
    const seen: unknown[] = [];
    await lifecycle((...args) => (seen.push(args), Promise.resolve({ resourceId: 'r', operationId: 'o', position: 7 })));
    expect(await ask()).toEqual({ resourceId: 'r', operationId: 'o', position: 7 });
    expect(seen).toEqual([[data, cause]]);
  });

  it('comes back as the refusal that it met', async () => {
    await lifecycle(() => {
      throw new Refusal('conflict', 'It has ended already.', 'operationId');
    });
    await expect(ask()).rejects.toEqual(new Refusal('conflict', 'It has ended already.', 'operationId'));
    await expect(ask()).rejects.toMatchObject({ name: 'Refusal', code: 'conflict', field: 'operationId' });
  });

  it('does not show what is inside when the app fails', async () => {
    await lifecycle(() => {
      throw new Error('password of the database');
    });
    await expect(ask()).rejects.toThrow('lifecycle could not answer CancelOperation; its log says why under the correlation id c-1.');
  });

  it('says that it may be tried again when the app cannot reach its database', async () => {
    await lifecycle(() => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    });
    await expect(ask()).rejects.toBeInstanceOf(Unavailable);
  });

  it('is known at once to have nobody who answers', async () => {
    await expect(ask(600_000)).rejects.toThrow('No lifecycle answers CancelOperation right now: it is not running, or not connected to the bus. Try again.');
    await expect(ask()).rejects.toMatchObject({ retryable: true });
  });

  it('is not waited for longer than was asked', async () => {
    await lifecycle(() => sleep(400));
    await expect(ask(100)).rejects.toThrow('lifecycle did not answer CancelOperation within 100 ms. Try again.');
  });

  it('is answered by one of several instances', async () => {
    let answered = 0;
    const answer = (): number => (answered += 1);
    for (let i = 0; i < 3; i += 1) await lifecycle(answer);
    for (let i = 0; i < 20; i += 1) await ask();
    expect(answered).toBe(20);
  });

  it('is answered before the app stops', async () => {
    const app = await lifecycle(() => sleep(300, { late: true }));
    const asked = ask();
    await sleep(50);
    await app.close();
    expect(await asked).toEqual({ late: true });
  });

  it('waits for a bus that comes back in time', async () => {
    await lifecycle(() => ({ ok: true }));
    await nats.kill();
    const asked = ask();
    await sleep(300);
    await nats.restart();
    expect(await asked).toEqual({ ok: true });
  });
});

describe('an ask of a host', () => {
  const askHost = (hostId: string, timeoutMs?: number): Promise<unknown> => client.ask(hostAddress(hostId), 'CancelOperation', data, cause, timeoutMs);

  it('is answered by the provisioner of that host and no other', async () => {
    const seen: unknown[] = [];
    await provisioner('local', (...args) => (seen.push(args), { host: 'local' }));
    await provisioner('h2', () => ({ host: 'h2' }));
    for (let i = 0; i < 10; i += 1) expect([await askHost('local'), await askHost('h2')]).toEqual([{ host: 'local' }, { host: 'h2' }]);
    expect(seen).toEqual(Array.from({ length: 10 }, () => [data, cause]));
  });

  it('is known at once to have nobody who answers, though another host would', async () => {
    await provisioner('h2', () => ({ host: 'h2' }));
    await expect(askHost('local')).rejects.toThrow('No provisioner of host local answers CancelOperation right now: it is not running, or not connected to the bus. Try again.');
    await expect(askHost('local')).rejects.toBeInstanceOf(Unavailable);
  });

  it('comes back as the refusal, and as the failure without its inside', async () => {
    await provisioner('local', () => {
      throw new Refusal('not-found', 'There is no such volume.');
    });
    await provisioner('h2', () => {
      throw new Error('password of the database');
    });
    await expect(askHost('local')).rejects.toEqual(new Refusal('not-found', 'There is no such volume.'));
    await expect(askHost('h2')).rejects.toThrow('provisioner of host h2 could not answer CancelOperation; its log says why under the correlation id c-1.');
  });

  it('may take its time, but no longer than was asked', async () => {
    await provisioner('local', () => sleep(400, { late: true }));
    expect(await askHost('local')).toEqual({ late: true });
    await expect(askHost('local', 100)).rejects.toThrow('provisioner of host local did not answer CancelOperation within 100 ms. Try again.');
  });

  it('fails at once, and not by its time-out, when the answer is larger than the bus carries', async () => {
    const large = { text: 'ü'.repeat(2 ** 19) };
    await provisioner('local', ({ operationId }) => (operationId === 'large' ? large : { text: 'short' }));
    const asked = client.ask(hostAddress('local'), 'CancelOperation', { ...data, operationId: 'large' }, cause, 5_000);
    await expect(asked).rejects.toThrow('The answer to ask.host.local.CancelOperation has 1048597 bytes, and the bus carries at most 1048576.');
    expect(await askHost('local')).toEqual({ text: 'short' });
  });

  it('finds the provisioner again after a restart', async () => {
    const first = await provisioner('local', () => ({ life: 1 }));
    expect(await askHost('local')).toEqual({ life: 1 });
    await first.close();
    await expect(askHost('local')).rejects.toBeInstanceOf(Unavailable);
    await provisioner('local', () => ({ life: 2 }));
    expect(await askHost('local')).toEqual({ life: 2 });
  });
});

describe('the doorbell', () => {
  it('is heard by every app, until it listens no more', async () => {
    const heard: number[] = [];
    const other = await BusClient.connect({ url: nats.url('lifecycle'), app: 'lifecycle', log: silent });
    const deaf = client.onDoorbell((position) => heard.push(position));
    await sleep(50);
    other.ring(42);
    await until('it is heard', () => heard.length > 0);
    deaf();
    other.ring(43);
    await sleep(100);
    expect(heard).toEqual([42]);
    await other.close();
  });
});
