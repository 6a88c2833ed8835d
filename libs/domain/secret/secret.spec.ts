import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { Refusal } from '../refusal.js';
import { secretGuard } from './guard.js';
import { keyringDecider, type KeyringCommand } from './keyring.js';
import { secretDecider, type SecretCommand } from './secret.js';
import { checkWish, generated } from './wish.js';

const created = { type: 'KeyringCreated', data: { projectId: 'p', publicKey: 'X1' } } as const;
const destroyed = { type: 'KeyringDestroyed', data: { projectId: 'p' } } as const;
const create: KeyringCommand = { type: 'CreateKeyring', projectId: 'p', publicKey: 'X1' };
const destroy: KeyringCommand = { type: 'DestroyKeyring', projectId: 'p' };

describe('the keys of a project', () => {
  it('are made once', () => given(keyringDecider).when(create).then(created));
  it('are never replaced by others', () => given(keyringDecider, created).when({ ...create, publicKey: 'X2' }).refused('conflict', /two vaults/));
  it('are destroyed once', () => given(keyringDecider, created).when(destroy).then(destroyed));
  it('never come again', () => given(keyringDecider, created, destroyed).when(create).refused('conflict', /for good/));
  it('that were never made are not made after they were destroyed', () => {
    given(keyringDecider).when(destroy).then(destroyed);
    given(keyringDecider, destroyed).when(create).refused('conflict');
  });
});

const secret = { secretId: 's', projectId: 'p', siteId: 'site', name: 'site/x/admin-password', version: 1, ciphertext: 'v1:a', isGenerated: true };
const stored = { type: 'SecretStored', data: secret } as const;
const revoked = { type: 'SecretRevoked', data: { secretId: 's', projectId: 'p', name: secret.name } } as const;
const generate: SecretCommand = { type: 'GenerateSecret', secret };
const open: SecretCommand = { type: 'OpenSecret', name: secret.name, purpose: 'workload' };

describe('a secret', () => {
  it('is generated once, and kept whatever is made for it later', () => {
    given(secretDecider).when(generate).then(stored);
    given(secretDecider, stored).when({ type: 'GenerateSecret', secret: { ...secret, ciphertext: 'v1:b' } }).then();
  });
  it('is opened as often as it is needed, and each time is recorded with its purpose', () => {
    const opened = { type: 'SecretOpened', data: { secretId: 's', projectId: 'p', name: secret.name, version: 1, purpose: 'workload' } } as const;
    expect(secretDecider.decide(open, given(secretDecider, stored).state())).toEqual([opened]);
    expect(secretDecider.decide(open, given(secretDecider, stored, opened).state())).toEqual([opened]);
  });
  it('that is not there cannot be opened', () => given(secretDecider).when(open).refused('not-found', /"site\/x\/admin-password"/));
  it('that was revoked is neither opened nor made again', () => {
    given(secretDecider, stored, revoked).when(open).refused('conflict', /revoked/);
    given(secretDecider, stored, revoked).when(generate).refused('conflict', /revoked/);
  });
});

describe('what needs a secret', () => {
  const need = { variable: 'PASSWORD', secret: 'mail' };
  it('is made only while the secret is there', () => {
    given(secretGuard, stored).when(need).then();
    given(secretGuard).when(need).refused('invalid', /no secret "mail" in the project/);
    given(secretGuard, stored, revoked).when(need).refused('invalid', /"mail" was revoked/);
  });
});

describe('what is generated', () => {
  const wish = { name: 'site/x/admin-password', length: 24, alphabet: 'letters-digits' };
  it('has the length and the characters that were wished for, all of them', () => {
    fc.assert(fc.property(fc.integer({ min: 20, max: 256 }), fc.infiniteStream(fc.nat()), (length, dice) => {
      const value = generated({ ...wish, length }, (below) => (dice.next().value as number) % below);
      expect(value).toMatch(new RegExp(`^[A-Za-z0-9]{${length}}$`));
    }));
    let n = 0;
    expect(new Set(generated({ ...wish, length: 62 }, () => n++)).size).toBe(62);
  });
  it.each([{ name: '' }, { name: '../x' }, { name: 'A' }, { length: 19 }, { length: 257 }, { length: 20.5 }, { alphabet: 'emoji' }, { alphabet: '' }])('is refused when it cannot be or would be weak: %j', (part) => {
    expect(() => checkWish({ ...wish, ...part })).toThrow(Refusal);
  });
  it('takes a sensible wish', () => expect(() => checkWish(wish)).not.toThrow());
});
