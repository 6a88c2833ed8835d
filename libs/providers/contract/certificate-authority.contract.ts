import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { CertificateAuthority, PlacedOrder } from '../certificate-authority.js';
import { belongs, covers, readChain } from '../certificate-chain.js';
import { freshKey, signingRequest } from '../signing-request.js';
import { createPrivateKey } from 'node:crypto';

/** How the suite makes an authority, and puts its proofs where it looks. */
export interface AuthorityUnderTest {
  /** As a process makes it at its start. */
  make(): CertificateAuthority;
  /** Puts the proofs of an order in place. */
  prove(order: PlacedOrder): Promise<void>;
  /** A name that nobody else's test uses, below one that the authority issues for. */
  freshName(): string;
}

/** What every CertificateAuthority promises. */
export function certificateAuthorityContract(name: string, underTest: AuthorityUnderTest): void {
  describe(`${name} as a certificate authority`, () => {
    const key = freshKey();
    const issued = async (authority: CertificateAuthority, names: readonly string[]) => {
      const order = await authority.order(names, authority.features.proofs[0] ?? 'http-01');
      await underTest.prove(order);
      return { order, chain: await authority.issue(order, await signingRequest(names, key)) };
    };

    it('issues for the names and the key, with a chain whose parts have signed each other', async () => {
      const hostname = underTest.freshName();
      const { chain } = await issued(underTest.make(), [hostname]);
      const [leaf] = readChain(chain);
      expect([covers(leaf, hostname), covers(leaf, 'other.example.net'), belongs(leaf, createPrivateKey(key))]).toEqual([true, false, true]);
      expect(leaf.validToDate.getTime()).toBeGreaterThan(Date.now());
    });

    it('asked again for the same order gives the same certificate, also to another process', async () => {
      const hostname = underTest.freshName();
      const { order, chain } = await issued(underTest.make(), [hostname]);
      expect(new X509Certificate(await underTest.make().issue(order, await signingRequest([hostname], key))).fingerprint256).toBe(new X509Certificate(chain).fingerprint256);
    });

    it('gives another certificate for another order', async () => {
      const hostname = underTest.freshName();
      const authority = underTest.make();
      const [first, second] = [await issued(authority, [hostname]), await issued(authority, [hostname])];
      expect(new X509Certificate(first.chain).serialNumber).not.toBe(new X509Certificate(second.chain).serialNumber);
    });

    it('revokes, and twice is once', async () => {
      const authority = underTest.make();
      const { chain } = await issued(authority, [underTest.freshName()]);
      await authority.revoke(chain, 'superseded');
      await underTest.make().revoke(chain, 'superseded');
    });

    it('ends when it is called off', async () => {
      await expect(underTest.make().order([underTest.freshName()], 'http-01', { signal: AbortSignal.abort() })).rejects.toMatchObject({ retryable: true });
    });
  });
}
