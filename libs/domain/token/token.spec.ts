import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../refusal.js';
import { tokenDecider, type TokenCommand, type TokenState } from './token.js';

const issue: TokenCommand = { type: 'IssueToken', tokenId: 't', ownerId: 'ann', name: 'laptop', tokenHash: 'a', scopes: ['read'], projects: [], verbs: [], expiresAt: '' };
const revoke: TokenCommand = { type: 'RevokeToken', tokenId: 't' };

function after(...commands: TokenCommand[]): TokenState {
  return commands.reduce((state, command) => tokenDecider.decide(command, state).reduce(tokenDecider.evolve, state), tokenDecider.initial);
}

describe('a token', () => {
  it('is issued once', () => {
    expect(tokenDecider.decide(issue, after()).map((m) => m.type)).toEqual(['TokenIssued']);
    expect(tokenDecider.decide(issue, after(issue))).toEqual([]);
  });
  it('is revoked once, for good', () => {
    expect(tokenDecider.decide(revoke, after(issue)).map((m) => m.type)).toEqual(['TokenRevoked']);
    expect(tokenDecider.decide(revoke, after(issue, revoke))).toEqual([]);
    expect(() => tokenDecider.decide(issue, after(issue, revoke))).toThrow(Refusal);
  });
  it('is not issued anew with another secret', () => {
    expect(() => tokenDecider.decide({ ...issue, tokenHash: 'b' }, after(issue))).toThrow(Refusal);
  });
  it('cannot be revoked before it is there', () => expect(() => tokenDecider.decide(revoke, after())).toThrow(Refusal));
});
