import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { parse } from 'tldts';
import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import { deriveId } from '#contracts/ids.js';
import { categoryOf, keyOf, type Cause, type StoredMessage } from '#contracts/message.js';
import { restUntil } from '#domain/certificate/caution.js';
import { certificateDecider, type Certificate, type CertificateCommand, type CertificateEvent, type CertificateState } from '#domain/certificate/certificate.js';
import { dueStep, ending, proofsToRemove, type Step } from '#domain/certificate/due.js';
import { OF_PLANE, UPLOADED } from '#domain/certificate/policy.js';
import { isSame } from '#domain/certificate/proofs.js';
import { domainDecider, type DomainEvent, type DomainName, type DomainState } from '#domain/domain-name/domain-name.js';
import { routeDecider } from '#domain/route/route.js';
import type { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import type { RevocationReason } from '#providers/certificate-authority.js';
import { InTurn } from '#providers/in-turn.js';
import { ProviderError } from '#providers/provider-error.js';
import type { Authorities, Choice } from './authorities.js';
import type { Issuance } from './issuance.js';
import { bringing, isOfPlane, type PlaneCertificate } from './plane-certificate.js';

interface Watched<S> {
  readonly state: S;
  readonly last: StoredMessage;
}

/** What hosts record of their edges. */
const EDGES = 'edge-host';
const TICK_MS = 500;
/** So much is under way at once with each who is asked, over all certificates: an authority takes a few seconds. One that is slow holds up what it was asked for, and nothing else. */
const ABREAST = 8;
/** Who is asked, besides authorities: whoever keeps zones, and the log. */
const [DNS, LOG] = ['dns', 'log'];
const SEEN_WITHIN_MS = 5_000;
/** Somebody on the bus is away, or the log is: only starting, perhaps, and if not, no reason to hurry. */
const FIRST_REST_MS = 250;
const LONGEST_REST_MS = 5_000;

/**
 * Sees to it that each active domain has a certificate, and does what is due for each: the next step with its authority, asking a host again, renewal, a warning of
 * its end. What is due and when is in the log, so a restart goes on where it was; what a step came to is recorded once, since its cause follows from what was recorded before.
 */
export class CertificatePoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('certificates');
  private readonly certificates = new Map<string, Watched<CertificateState>>();
  private readonly domains = new Map<string, Watched<DomainState>>();
  private readonly busy = new Set<string>();
  private readonly resting = new Map<string, { readonly untilMs: number; readonly restMs: number }>();
  /** When each authority is to be asked again for the time of a renewal, by certificate. */
  private readonly askRenewalAt = new Map<string, string>();
  private readonly turns = new InTurn(ABREAST);
  private readonly domainTurns = new InTurn();
  private isCaughtUp = false;
  private lastEdge: StoredMessage | undefined;
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;
  private unring: (() => void) | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly authorities: Authorities,
    private readonly issuance: Issuance,
    private readonly plane: PlaneCertificate,
    private readonly onDoorbell: (ring: () => void) => () => void,
  ) {}

  onApplicationBootstrap(): void {
    const follower = follow(this.store, { categories: [domainDecider.category, certificateDecider.category, EDGES], apply: (messages) => this.take(messages) });
    this.follower = follower;
    this.unring = this.onDoorbell(() => follower.wake());
    this.timer = setInterval(() => this.doWhatIsDue(), TICK_MS);
    void this.catchUp(follower);
  }

  /** What is due is seen at the end of the log alone: half-way through it, much seems so that has been done. */
  private async catchUp(follower: Follower): Promise<void> {
    while (this.follower === follower && !this.isCaughtUp) {
      this.isCaughtUp = await this.store.head().then((head) => follower.waitFor(head, SEEN_WITHIN_MS), () => false);
      if (!this.isCaughtUp) await sleep(TICK_MS);
    }
    this.doWhatIsDue();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.unring?.();
    await this.follower?.stop();
    this.follower = undefined;
  }

  private take(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      const key = keyOf(message.streamId);
      if (message.type === 'EdgeStarted') {
        this.plane.add(message.data.hostId);
        this.lastEdge = message;
      } else if (categoryOf(message.streamId) === domainDecider.category) {
        this.domains.set(key, { state: domainDecider.evolve(this.domains.get(key)?.state ?? domainDecider.initial, message as unknown as DomainEvent), last: message });
      } else {
        this.certificates.set(key, { state: certificateDecider.evolve(this.certificates.get(key)?.state ?? certificateDecider.initial, message as unknown as CertificateEvent), last: message });
      }
    }
    if (messages.length > 0) this.doWhatIsDue();
  }

  private doWhatIsDue(): void {
    if (!this.isCaughtUp) return;
    const now = new Date().toISOString();
    for (const { state, last } of this.domains.values()) {
      if (state.status === 'free' || state.status !== 'active' || !this.authorities.automatic) continue;
      const { claimId } = state.claim;
      const { state: certificate, last: before } = this.certificates.get(claimId) ?? { state: certificateDecider.initial, last };
      if (certificate.status === 'none') this.begin(claimId, () => this.request(state, before));
    }
    this.tendPlanes(now);
    for (const [id, { state, last }] of this.certificates) {
      const left = proofsToRemove(state, now);
      if (left.length > 0) this.begin(id, () => this.turns.run(DNS, () => this.withdraw(id, last, left)));
      if (state.status === 'none') continue;
      if (!this.isWanted(id, state)) this.end(id, state, last, now);
      const step = dueStep(state, now, this.issuance.policy);
      if (step) this.begin(id, () => this.attend(id, state, last, step));
      else if (state.status === 'deployed' && ![UPLOADED, OF_PLANE].includes(state.authority) && (this.askRenewalAt.get(id) ?? '') <= now) this.begin(id, () => this.turns.run(state.issuedBy, () => this.planRenewal(id, state, last)));
    }
  }

  /** An origin certificate lasts for years, and stays in the account that it was made in. */
  private end(id: string, certificate: Certificate, last: StoredMessage, now: string): void {
    const how = ending(certificate, this.authorities.isOrigin(certificate.issuedBy));
    if (how === 'revoke') this.begin(id, () => this.record(id, last, how, { type: 'RevokeCertificate', reason: 'cessationOfOperation', now }));
    if (how === 'remove') this.begin(id, () => this.record(id, last, how, { type: 'RemoveCertificate', reason: 'Its domain is served no more.', now, policy: this.issuance.policy }));
  }

  /** The plane's own certificate, and hosts' copies of it. */
  private tendPlanes(now: string): void {
    const edge = this.lastEdge;
    if (!edge) return;
    const { id } = this.plane;
    const own = this.stateOf(id);
    if (own.status === 'none' && this.plane.mayBegin()) this.begin(id, () => this.turns.run(DNS, () => this.requestPlanes(this.certificates.get(id)?.last ?? edge)));
    for (const copy of this.plane.copiesToBring(own, (other) => this.stateOf(other))) {
      const { certificateId } = copy.of;
      const last = this.certificates.get(certificateId)?.last ?? edge;
      this.begin(certificateId, () => this.record(certificateId, last, `copy:${copy.certificate.fingerprint}`, { ...bringing(copy), now, policy: this.issuance.policy }));
    }
  }

  private async requestPlanes(last: StoredMessage): Promise<number | undefined> {
    const choice = await this.plane.possible();
    if (!choice) return undefined;
    return this.record(this.plane.id, last, 'request', { type: 'RequestCertificate', of: this.plane.of, authority: choice.authority.name, proof: choice.proof, now: new Date().toISOString() });
  }

  private stateOf(id: string): CertificateState {
    return this.certificates.get(id)?.state ?? certificateDecider.initial;
  }

  /** Whether its domain, by the same claim, is there. */
  private isWanted(id: string, { of }: Certificate): boolean {
    if (isOfPlane(of)) return this.plane.isWanted(id, of, this.stateOf(this.plane.id));
    const held = this.domains.get(of.domain)?.state;
    return held !== undefined && held.status !== 'free' && held.status !== 'removing' && held.claim.claimId === id;
  }

  private begin(id: string, work: () => Promise<number | undefined>): void {
    if (this.busy.has(id) || (this.resting.get(id)?.untilMs ?? 0) > Date.now()) return;
    this.busy.add(id);
    void this.seen(id, work)
      .catch((error: unknown) => {
        const restMs = Math.min(LONGEST_REST_MS, 2 * (this.resting.get(id)?.restMs ?? FIRST_REST_MS / 2));
        this.resting.set(id, { untilMs: Date.now() + restMs, restMs });
        if (this.follower) this.log.warn(`The certificate ${id} could not be attended to, it is tried again: ${(error as Error).message}`);
      })
      .finally(() => this.busy.delete(id));
  }

  private async seen(id: string, work: () => Promise<number | undefined>): Promise<void> {
    const position = await work();
    this.resting.delete(id);
    if (position !== undefined) await this.follower?.waitFor(position, SEEN_WITHIN_MS);
  }

  private async request(domain: DomainName, last: StoredMessage): Promise<number | undefined> {
    const { claimId, siteId, projectId, name } = domain.claim;
    const { state: route } = await loadState(this.store, routeDecider, siteId);
    if (route.status === 'absent') return undefined;
    const of = { certificateId: claimId, siteId, projectId, domain: name, names: [name], hostId: route.hostId };
    const { authority, proof } = this.authorities.plan(domain);
    return this.record(claimId, last, 'request', { type: 'RequestCertificate', of, authority: authority.name, proof, now: new Date().toISOString() });
  }

  private async attend(id: string, certificate: Certificate, last: StoredMessage, step: Step): Promise<number> {
    const { policy } = this.issuance;
    const now = new Date().toISOString();
    switch (step) {
      case 'ask-host':
        return this.record(id, last, step, { type: 'AskHostAgain', now, policy });
      case 'renew':
        return this.record(id, last, step, { type: 'RenewCertificate', reason: 'It is time.', newKey: false, authority: this.authorities.automatic?.name ?? '', now });
      case 'warn':
        return this.record(id, last, step, { type: 'WarnOfEnd', now, policy });
      case 'prove':
        return this.turns.run(DNS, async () => this.record(id, last, step, await this.issuance.prove(certificate)));
      case 'revoke':
        return this.turns.run(certificate.issuedBy, async () => this.record(id, last, step, await this.issuance.revoke(certificate, (await this.reasonOf(id)) as RevocationReason)));
      case 'order':
      case 'issue':
        return this.domainTurns.run(registeredDomain(certificate), () =>
          this.turns.run(certificate.authority, async () => this.record(id, last, step, step === 'order' ? await this.order(certificate, now) : await this.issuance.issue(certificate, causeOf(id, last, step)))));
    }
  }

  /** Another order, unless too many were placed for the same registered domain: then it waits its turn, and its status says so. */
  private async order(certificate: Certificate, now: string): Promise<CertificateCommand> {
    const zone = registeredDomain(certificate);
    const siblings = [...this.certificates.values()].flatMap(({ state }) => (state.status !== 'none' && registeredDomain(state) === zone ? [state] : []));
    const notBefore = this.authorities.isOrigin(certificate.authority) ? '' : restUntil(siblings, certificate.authority, now);
    if (notBefore === '') return this.issuance.order(certificate, () => this.choiceFor(certificate));
    const error = `So many certificates were issued for ${zone} within a week that its authority may refuse more.`;
    return { type: 'RecordFailure', order: certificate.orders + 1, step: 'order', error, notBefore, keepsOrder: false, now, policy: this.issuance.policy };
  }

  private choiceFor({ of }: Certificate): Choice | Promise<Choice> {
    if (isOfPlane(of)) return this.plane.choose();
    const { domain } = of;
    const held = this.domains.get(domain)?.state;
    if (!held || held.status === 'free') throw new ProviderError(`${domain} is served no more.`, false);
    return this.authorities.choose(held);
  }

  /** A record that another order wants by now, which an authority may give the same proof, is that one's to remove. */
  private async withdraw(id: string, last: StoredMessage, left: readonly CertificateProof[]): Promise<number> {
    const wanted = [...this.certificates.values()].flatMap(({ state }) => (state.status === 'none' ? [] : (state.order?.proofs ?? [])));
    const others = left.filter((one) => wanted.some((other) => isSame(one, other)));
    const outcome = await this.issuance.withdraw(left.filter((one) => !others.includes(one)));
    return this.record(id, last, 'withdraw', outcome.type === 'RecordProofsRemoved' ? { ...outcome, proofs: left } : outcome);
  }

  private async planRenewal(id: string, certificate: Certificate, last: StoredMessage): Promise<number | undefined> {
    const { suggested, problem, askAgainAt } = await this.issuance.renewal(certificate);
    this.askRenewalAt.set(id, askAgainAt);
    if (problem !== undefined) this.log.warn(`${certificate.of.domain} is renewed when two thirds of its life are over, unless its authority says otherwise. It is asked again at ${askAgainAt}. ${problem}`);
    if (!suggested || suggested.renewAt === certificate.renewAt) return undefined;
    return this.record(id, last, 'plan', { type: 'PlanRenewal', renewAt: suggested.renewAt, reason: suggested.reason });
  }

  private async record(id: string, last: StoredMessage, what: string, command: CertificateCommand): Promise<number> {
    const { position } = await this.turns.run(LOG, () => handle(this.store, causeOf(id, last, what), [on(certificateDecider, id, command)], { actor: 'system:domains' }));
    return position;
  }

  /** Why somebody wanted it revoked. */
  private async reasonOf(id: string): Promise<string> {
    const asked = (await this.store.readStream(`${certificateDecider.category}/${id}`)).findLast(({ type }) => type === 'CertificateRevocationRequested');
    return asked?.type === 'CertificateRevocationRequested' ? asked.data.reason : 'unspecified';
  }
}

/** The same step after the same last message is the same cause. */
function causeOf(id: string, last: StoredMessage, what: string): Cause {
  return { id: deriveId(id, what, last.position), meta: last.meta };
}

/** What its owner bought of a registrar: authorities count by it. */
function registeredDomain({ of: { domain } }: Certificate): string {
  return parse(domain, { allowPrivateDomains: true, extractHostname: false, validateHostname: false }).domain ?? domain;
}
