import { randomUUID } from 'node:crypto';
import type { Meta, NewMessage } from '#contracts/message.js';

export const META: Meta = { correlationId: 'request-1', causationId: 'request-1', actor: 'token:1', owner: 'owner-1' };

/** A TokenIssued, the smallest event that a test may append without a decider. */
export function tokenIssued(tokenId: string, name = 'laptop', meta: Meta = META): NewMessage<'TokenIssued'> {
  return {
    id: randomUUID(), kind: 'event', type: 'TokenIssued', meta,
    data: { tokenId, ownerId: meta.owner, name, tokenHash: 'f'.repeat(64), scopes: ['read'], projects: [], verbs: [], expiresAt: '' },
  };
}
