import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Faults } from './faults.js';

/** What is recorded after a phase has come to what is waited for: records that are taken away, hosts that answer. */
const STILL_MS = 1_000;
const SETTLES_WITHIN_MS = 30_000;
const LOOK_MS = 100;

export const PARTS = ['control-plane', 'provisioner'] as const;
export type Part = (typeof PARTS)[number];

export interface Phase {
  readonly name: string;
  run(): Promise<void>;
  /** Points at which it dies although an earlier phase did: what comes after them is another thing here. */
  readonly again?: RegExp;
}

type Points = Readonly<Record<Part, readonly string[]>>;

/** What a phase came to without a death and with all of them, and at which points it did not die since it did not come to them. */
export interface Outcomes<O> {
  readonly undisturbed: O;
  readonly found: O;
  readonly deaths: number;
  readonly missed: readonly string[];
}

/**
 * A story in phases that is told twice. The first telling is recorded; in the second a process dies at each point that the first one came to, one death after the
 * other within the same work, which has to come to its end all the same.
 */
export class TwiceTold<O> {
  deaths = 0;
  private readonly recorded = new Map<string, { readonly outcome: O; readonly points: Points }>();
  private readonly covered = new Set<string>();

  constructor(
    private readonly faults: Faults,
    private readonly isPoint: (point: string) => boolean,
    /** Begins to count; what it gives says what has come of the phase by then. */
    private readonly count: () => Promise<() => Promise<O>>,
  ) {}

  /** The first telling. Points at which an earlier phase dies are left out, each is listed once. */
  async record(phase: Phase): Promise<Points> {
    this.faults.forget();
    const look = await this.count();
    await phase.run();
    const outcome = await this.still(look);
    const points = { 'control-plane': this.fresh('control-plane', phase), provisioner: this.fresh('provisioner', phase) };
    this.recorded.set(phase.name, { outcome, points });
    return points;
  }

  /** The second telling. */
  async dieAtEach(phase: Phase): Promise<Outcomes<O>> {
    const { outcome: undisturbed, points } = this.recorded.get(phase.name)!;
    for (const part of PARTS) this.faults.orderAll(part, points[part]);
    const look = await this.count();
    await phase.run();
    const found = await this.alike(look, undisturbed);
    const missed = PARTS.flatMap((part) => this.faults.missed(part, points[part]));
    const all = PARTS.flatMap((part) => points[part]);
    const deaths = all.length - missed.length;
    this.deaths += deaths;
    process.stderr.write(`  ${phase.name}: ${deaths} of ${all.length} deaths${missed.length ? `, not at ${missed.join(', ')}` : ''}\n`);
    return { undisturbed, found, deaths, missed };
  }

  private async still(look: () => Promise<O>): Promise<O> {
    let last = await look();
    for (let since = Date.now(); Date.now() - since < STILL_MS; await sleep(LOOK_MS)) {
      const next = await look();
      if (!isDeepStrictEqual(last, next)) since = Date.now();
      last = next;
    }
    return last;
  }

  /** What comes later than it is waited for; what is there twice stays so. */
  private async alike(look: () => Promise<O>, wanted: O): Promise<O> {
    for (const end = Date.now() + SETTLES_WITHIN_MS; ; await sleep(LOOK_MS)) {
      if (isDeepStrictEqual(await look(), wanted) || Date.now() > end) return this.still(look);
    }
  }

  private fresh(part: Part, { again }: Phase): readonly string[] {
    const passed = new Set(this.faults.passed().flatMap(({ process, point }) => (process === part ? [point] : [])));
    // What nobody works on is done as soon as it is there.
    const isWorkedOn = (point: string) => !point.startsWith('handler:') || passed.has(point.replace(/:done$/, ':received'));
    const fresh = [...passed].filter((point) => this.isPoint(point) && isWorkedOn(point) && (!this.covered.has(`${part} ${point}`) || again?.test(point)));
    for (const point of fresh) this.covered.add(`${part} ${point}`);
    return fresh;
  }
}
