import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { acmeFaults, AcmeProxy, isSigned, type AcmeFault } from '../../../test/support/acme-proxy.js';
import { causeOf, wordsOf } from '../../../test/support/acme-words.js';
import { describeWithPebble } from '../../../test/support/docker.js';
import type { Pebble } from '../../../test/support/pebble.js';
import { ProofPlaces } from '../../../test/support/proof-places.js';
import { RateLimited, type PlacedOrder } from '../certificate-authority.js';
import { ProviderError } from '../provider-error.js';
import { freshKey, signingRequest } from '../signing-request.js';
import { AcmeAuthority } from './acme-authority.js';

jest.setTimeout(180_000);

const EAB = { kid: 'kid-1', hmacKey: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' };
const PATIENCE_SECONDS = 120;
/** So long takes a call that is never answered; a busy machine answers all others in less. */
const ANSWER_MS = 3_000;
const ABREAST = 8;
const certificateKey = freshKey();
let count = 0;

/** One account and one name, behind a proxy of their own. */
class Stage {
  readonly name = `name-${++count}.example.com`;
  readonly authority: AcmeAuthority;
  readonly next: AcmeAuthority;
  order: PlacedOrder | undefined;
  chain = '';

  constructor(
    readonly proxy: AcmeProxy,
    private readonly places: ProofPlaces,
    eab: typeof EAB | undefined,
  ) {
    const accountKey = freshKey();
    const settings = { directoryUrl: proxy.directoryUrl, trustedRoots: proxy.ca, email: 'me@example.com', accountKey: () => Promise.resolve(accountKey), answerMs: ANSWER_MS, patienceMs: 10_000, ...(eab && { eab }) };
    this.authority = new AcmeAuthority(settings);
    this.next = new AcmeAuthority(settings);
  }

  async place(authority = this.authority, replaces?: string): Promise<void> {
    this.order = await authority.order([this.name], 'http-01', replaces === undefined ? {} : { replaces });
    await this.places.put(this.order.proofs);
  }

  async issue(): Promise<void> {
    this.chain = await this.authority.issue(this.order!, await signingRequest([this.name], certificateKey));
  }
}

/** A part of what a certificate asks of its authority: what was done before it, and what is done, once more if it failed. */
interface Act {
  readonly before: (stage: Stage) => Promise<unknown>;
  readonly run: (stage: Stage) => Promise<unknown>;
  readonly isOrder?: boolean;
  /** The authority opens accounts for those alone who have this. */
  readonly eab?: typeof EAB;
}
const nothing = () => Promise.resolve();
const issued = async (stage: Stage) => {
  await stage.place();
  await stage.issue();
};
const ACTS: Readonly<Record<string, Act>> = {
  'opens its account and orders': { before: nothing, run: (stage) => stage.place(), isOrder: true },
  'opens its account by a binding': { before: nothing, run: (stage) => stage.place(), isOrder: true, eab: EAB },
  'finds its account and orders': { before: (stage) => stage.place(), run: (stage) => stage.place(stage.next), isOrder: true },
  'has it issued': { before: (stage) => stage.place(), run: (stage) => stage.issue() },
  'asks when to renew': { before: issued, run: (stage) => stage.authority.renewal(stage.chain) },
  'orders in place of another': { before: issued, run: (stage) => stage.place(stage.authority, stage.chain), isOrder: true },
  revokes: { before: issued, run: (stage) => stage.authority.revoke(stage.chain, 'superseded') },
};

/** The authority has done what it was asked, and nobody heard. */
const HALF_APPLIED: readonly AcmeFault[] = ['half', 'nothing', 'cut-after', 'hang-after'];

/** Whether a call comes to its end all the same: by another nonce, by an order that says less, or because nothing of its answer is needed. */
function isSurvived(kind: string, fault: AcmeFault): boolean {
  if (fault === 'bad-nonce' || (kind === 'newOrder that replaces' && (fault === 'refuses' || fault === 'fails'))) return true;
  if (fault === 'half') return kind === 'revokeCert';
  return fault === 'nothing' && /^(newAccount( with a binding)?|account.*|challenge|finalize|revokeCert)$/.test(kind);
}

describeWithPebble('ACME when a call fails', () => {
  let places: ProofPlaces;
  const known = new Set<string>();
  const pebbles = new Map<typeof EAB | undefined, Pebble>();

  beforeAll(async () => {
    places = await ProofPlaces.open();
    for (const eab of [undefined, EAB]) pebbles.set(eab, await places.pebble({ isSteady: true, ...(eab && { eab }) }));
  });
  afterAll(async () => {
    for (const pebble of pebbles.values()) await pebble.stop();
    await places?.close();
  });

  async function onStage<T>({ eab }: Act, tell: (stage: Stage) => Promise<T>): Promise<T> {
    const proxy = await AcmeProxy.before(pebbles.get(eab)!, PATIENCE_SECONDS);
    try {
      return await tell(new Stage(proxy, places, eab));
    } finally {
      await proxy.close();
    }
  }

  /** The kinds of its calls, but those that an act before it has shown. */
  async function newKinds(act: Act): Promise<readonly string[]> {
    return onStage(act, async (stage) => {
      await act.before(stage);
      stage.proxy.seen.length = 0;
      await act.run(stage);
      const fresh = [...new Set(stage.proxy.seen)].filter((kind) => !known.has(kind));
      for (const kind of fresh) known.add(kind);
      return fresh;
    });
  }

  /** One call of the kind meets the fault: it is said what could not be done and why, and it is done when it is tried again with what was known before. */
  async function told(act: Act, kind: string, fault: AcmeFault): Promise<void> {
    await onStage(act, async (stage) => {
      await act.before(stage);
      const { proxy } = stage;
      const begun = Date.now();
      proxy.fail(kind, fault);
      const failed = await act.run(stage).then(() => undefined, (error: unknown) => error);
      expect(proxy.met).toEqual([{ kind, fault }]);
      if (isSurvived(kind, fault)) expect(failed).toBeUndefined();
      else {
        expect(failed).toBeInstanceOf(ProviderError);
        const { message, retryable } = failed as ProviderError;
        expect(message).toMatch(/^The certificate authority could not /);
        expect(message).toMatch(wordsOf(kind));
        expect(message).toMatch(causeOf(kind, fault));
        expect(retryable).toBe(fault !== 'refuses' && !message.includes('it answers 400'));
        const isLimit = fault === 'is-busy' || fault === 'limits';
        expect(failed instanceof RateLimited).toBe(isLimit);
        if (isLimit) expect(Math.round((Date.parse((failed as RateLimited).notBefore) - begun) / 10_000)).toBe(PATIENCE_SECONDS / 10);
        await act.run(stage);
      }
      if (act.isOrder && HALF_APPLIED.includes(fault)) await stage.issue();
      expect(proxy.made.filter((one) => one.startsWith('newAccount'))).toHaveLength(1);
    });
  }

  it.each(Object.entries(ACTS))('%s: says what the authority could not do and why, and does it at the next try', async (_, act) => {
    const kinds = await newKinds(act);
    expect(kinds.length).toBeGreaterThan(0);
    const cases = kinds.flatMap((kind) => acmeFaults.filter((fault) => fault !== 'bad-nonce' || isSigned(kind)).map((fault) => [kind, fault] as const));
    const problems: string[] = [];
    const work = async () => {
      for (let one = cases.shift(); one; one = cases.shift()) await told(act, ...one).catch((error: Error) => problems.push(`${one!.join(' ')}: ${error.message}`));
    };
    await Promise.all(Array.from({ length: ABREAST }, work));
    expect(problems).toEqual([]);
  });

  it('opens its account anew at an authority that has forgotten it', async () => {
    await onStage({ before: nothing, run: nothing }, async (stage) => {
      await stage.place();
      const another = await places.pebble({ isSteady: true });
      stage.proxy.turnTo(another);
      await expect(stage.place()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/could not take an order: it answers 400 \(accountDoesNotExist\)/) });
      await stage.place();
      await another.stop();
    });
  });

  const ISSUE: Act = { before: (stage) => stage.place(), run: nothing };
  const numberOf = (stage: Stage, kind: string) => stage.proxy.seen.filter((one) => one === kind).length;

  it.each([['authorization', 'pending'], ['order after challenge', 'pending'], ['order after finalize', 'processing']])('looks again at what it is told of by %s when it is told to', async (kind, status) => {
    await onStage(ISSUE, async (stage) => {
      await stage.place();
      stage.proxy.seen.length = 0;
      if (kind === 'authorization') stage.proxy.asksForPatience(kind, '0', status);
      stage.proxy.asksForPatience(kind, '2', status);
      const begun = Date.now();
      await stage.issue();
      expect(Date.now() - begun).toBeGreaterThan(1_900);
      expect(numberOf(stage, kind)).toBeLessThanOrEqual(kind === 'authorization' ? 3 : 2);
    });
  });

  it('does not wait for an authority that wants to be asked much later, and says when it may be asked', async () => {
    await onStage(ISSUE, async (stage) => {
      await stage.place();
      stage.proxy.asksForPatience('order after finalize', '600', 'processing');
      const begun = Date.now();
      const failed = await stage.issue().then(() => undefined, (error: unknown) => error);
      expect(Date.now() - begun).toBeLessThan(8_000);
      expect(failed).toBeInstanceOf(RateLimited);
      expect(failed).toMatchObject({ retryable: true, message: expect.stringMatching(/the order is still processing.*asked again at \d{4}-/) });
      expect(Math.round((Date.parse((failed as RateLimited).notBefore) - begun) / 60_000)).toBe(10);
      await stage.issue();
    });
  });

  it.each([['1', 60], ['7200', 7_200], ['999999999999', 86_400]])('asks when to renew again %s seconds after it was told so, but within a minute and a day', async (retryAfter, seconds) => {
    await onStage(ISSUE, async (stage) => {
      await issued(stage);
      stage.proxy.asksForPatience('renewalInfo', retryAfter);
      const { askAgainAt } = (await stage.authority.renewal(stage.chain))!;
      expect(Math.abs(Date.parse(askAgainAt) - Date.now() - seconds * 1_000)).toBeLessThan(10_000);
    });
  });
});
