import type { Msg } from '@nats-io/transport-node';
import type { Answer } from './bus-client.js';
import type { Work } from './work.js';

/** Header of a dead letter that is sent again: the subject that it had in the log's stream. */
export const RESENT_SUBJECT = 'hostplane-subject';

/** Works on a dead letter that an operator sent again: once, in turn with the other messages of its key. */
export function resent(message: Msg, work: Work): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (reason: string): void => resolve({ failure: { message: reason, retryable: false } });
    const taken = work.take({
      subject: message.headers?.get(RESENT_SUBJECT) ?? '',
      headers: message.headers,
      position: Number(message.headers?.get('ce-position')),
      deliveryCount: 1,
      maxDeliveries: 1,
      ackWaitMs: Infinity,
      text: () => message.string(),
      working: () => undefined,
      ack: () => resolve({ value: 'done' }),
      nak: () => failed('The app stopped before it came to it. Send it again.'),
      term: failed,
    });
    if (!taken) failed('It is being worked on right now.');
  });
}
