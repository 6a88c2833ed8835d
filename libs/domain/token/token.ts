import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export type TokenCommand =
  | { type: 'IssueToken'; tokenId: string; ownerId: string; name: string; tokenHash: string; scopes: readonly string[]; projects: readonly string[]; verbs: readonly string[]; expiresAt: string }
  | { type: 'RevokeToken'; tokenId: string };

export type TokenState = { status: 'unknown' } | { status: 'issued'; tokenHash: string } | { status: 'revoked'; tokenHash: string };

/** What lets somebody in. Only its hash is known; once revoked it never lets anybody in again. */
export const tokenDecider: Decider<TokenState, TokenCommand, 'TokenIssued' | 'TokenRevoked'> = {
  category: 'token',
  initial: { status: 'unknown' },
  decide(command, state) {
    if (command.type === 'RevokeToken') {
      if (state.status === 'unknown') throw new Refusal('not-found', `There is no token "${command.tokenId}".`);
      return state.status === 'revoked' ? [] : [{ type: 'TokenRevoked', data: { tokenId: command.tokenId } }];
    }
    const { type: _, scopes, projects, verbs, ...issued } = command;
    if (state.status === 'unknown') return [{ type: 'TokenIssued', data: { ...issued, scopes: [...scopes], projects: [...projects], verbs: [...verbs] } }];
    if (state.tokenHash !== command.tokenHash) throw new Refusal('conflict', `The token "${command.tokenId}" was issued already. Issue another one.`);
    if (state.status === 'revoked') throw new Refusal('conflict', `The token "${command.tokenId}" was revoked, which is for good. Use another one.`);
    return [];
  },
  evolve(state, message) {
    if (message.type === 'TokenIssued') return { status: 'issued', tokenHash: message.data.tokenHash };
    return state.status === 'issued' ? { ...state, status: 'revoked' } : state;
  },
};
