import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { edgeDecider } from '#domain/answers.js';
import { Refusal } from '#domain/refusal.js';
import { EventStore } from '#eventstore/event-store.js';
import type { HandlerContext } from '#messaging/handlers.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { answerAs } from './answer.js';
import { ProviderError } from './provider-error.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let store: EventStore;
beforeAll(async () => {
  database = await startPostgres();
  store = new EventStore({ connectionString: database.urlOf('provisioner'), app: 'provisioner' });
});
afterAll(async () => {
  await store?.close();
  await database?.stop();
});

/** A command to the edge that is delivered again and again; each delivery does what the next of `acts` does. */
function delivered(maxDeliveries = 10) {
  const siteId = randomUUID();
  const command = { id: randomUUID(), position: 7, meta: { correlationId: 'request-1', causationId: 'c', actor: 'system:domains', owner: 'ann' } };
  const ids = { operationId: 'o', siteId, hostId: 'local', turn: 2, revision: command.position };
  let deliveryCount = 0;
  const deliver = (act: () => void, signal = new AbortController().signal): Promise<string> => {
    const context: HandlerContext = { deliveryCount: ++deliveryCount, maxDeliveries, position: command.position, signal };
    return answerAs('system:provisioner', store, command, context, {
      decider: edgeDecider,
      key: siteId,
      act: async () => {
        act();
        return { type: 'EdgeApplied', data: { ...ids, servedRevision: 7, configHash: 'h', tunnel: '' } };
      },
      failed: (error) => ({ type: 'EdgeFailed', data: { ...ids, error, step: 'tunnel' } }),
    }).then(() => 'done', (error: Error) => `again: ${error.message}`);
  };
  const told = async () => (await store.readStream(`edge/${siteId}`)).map(({ type, data }) => [type, (data as { error?: string }).error ?? '']);
  return { deliver, told, ids, stream: () => store.readStream(`edge/${siteId}`) };
}
const fails = (message: string, isRetryable = true) => () => {
  throw new ProviderError(message, isRetryable);
};

describe('a command that does not succeed at once', () => {
  it('says why it is tried again, each reason once, and is answered when it is done', async () => {
    const { deliver, told, stream, ids } = delivered();
    expect([await deliver(fails('no tunnel')), await deliver(fails('no tunnel')), await deliver(fails('no edge')), await deliver(() => undefined), await deliver(fails('late'))]).toEqual(['again: no tunnel', 'again: no tunnel', 'again: no edge', 'done', 'done']);
    expect(await told()).toEqual([['WorkDelayed', 'no tunnel'], ['WorkDelayed', 'no edge'], ['EdgeApplied', '']]);
    expect((await stream())[0]).toMatchObject({ data: { ...ids, tries: 1, step: 'tunnel' }, meta: { correlationId: 'request-1', actor: 'system:provisioner', owner: 'ann' } });
  });
  it('says at its last try that there is no other', async () => {
    const { deliver, told } = delivered(2);
    expect([await deliver(fails('no tunnel')), await deliver(fails('no tunnel'))]).toEqual(['again: no tunnel', 'done']);
    expect(await told()).toEqual([['WorkDelayed', 'no tunnel'], ['EdgeFailed', 'no tunnel (tried 2 times)']]);
  });
  it('fails at once where trying again is no use', async () => {
    const [final, refused] = [delivered(), delivered()];
    await final.deliver(fails('deleted', false));
    await refused.deliver(() => {
      throw new Refusal('conflict', 'taken');
    });
    expect([await final.told(), await refused.told()]).toEqual([[['EdgeFailed', 'deleted']], [['EdgeFailed', 'taken']]]);
  });
  it('shows nothing of a fault of ours but where to find it', async () => {
    const { deliver, told } = delivered();
    expect(await deliver(() => {
      throw new TypeError('password=planted');
    })).toMatch(/^again/);
    expect(await told()).toEqual([['WorkDelayed', expect.stringMatching(/^Something unforeseen went wrong\. .*correlation id request-1\.$/)]]);
  });
  it('says nothing when it was only cut short by the end of its process', async () => {
    const { deliver, told } = delivered();
    const stopping = new AbortController();
    await deliver(() => {
      stopping.abort();
      throw new ProviderError('aborted', true);
    }, stopping.signal);
    expect(await told()).toEqual([]);
  });
});
