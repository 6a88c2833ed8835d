import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DIED, stepFile, Steps, type KillOrder } from '#boot/faults.js';

/** A point that a process came to, and which time it was in the story. */
export interface Passing {
  readonly process: string;
  readonly point: string;
  readonly nth: number;
}

/** The folder through which a test sees where processes are, and orders them to die; see boot/faults.ts. */
export class Faults {
  readonly folder = mkdtempSync(join(tmpdir(), 'hostplane-faults-'));
  private readonly trace = join(this.folder, 'trace');

  get env(): NodeJS.ProcessEnv {
    return { HOSTPLANE_FAULTS: this.folder };
  }

  forget(): void {
    rmSync(this.trace, { force: true });
  }

  /** Every passing since the last forget, in order. */
  passed(): readonly Passing[] {
    const counts = new Map<string, number>();
    const lines = existsSync(this.trace) ? readFileSync(this.trace, 'utf8').trim().split('\n') : [];
    return lines.map((line) => {
      const [process = '', point = ''] = line.split(' ');
      const nth = (counts.get(line) ?? 0) + 1;
      counts.set(line, nth);
      return { process, point, nth };
    });
  }

  /** The steps since the last forget, each once, in order; see boot/faults.ts. */
  steps(process: string): readonly string[] {
    const naming = new Steps();
    return [...new Set(this.passed().filter((one) => one.process === process).map(({ point }) => naming.next(point)))];
  }

  /** Has a process die at each of these steps, or points, when it comes to it. */
  orderAll(process: string, steps: readonly string[]): void {
    for (const step of steps) writeFileSync(stepFile(this.folder, process, step), '');
  }

  /** At which of them it did not; those are taken back. */
  missed(process: string, steps: readonly string[]): readonly string[] {
    return steps.filter((step) => {
      const file = stepFile(this.folder, process, step);
      const hasDied = existsSync(`${file}${DIED}`);
      for (const one of [file, `${file}${DIED}`]) rmSync(one, { force: true });
      return !hasDied;
    });
  }

  order(passing: Passing, victim?: number): void {
    const order: KillOrder = { ...passing, id: randomUUID(), ...(victim !== undefined && { victim }) };
    rmSync(join(this.folder, 'killed'), { force: true });
    writeFileSync(join(this.folder, 'kill.new'), JSON.stringify(order));
    renameSync(join(this.folder, 'kill.new'), join(this.folder, 'kill'));
  }

  /** Whether the order was carried out. One that was not is taken back. */
  async carriedOut(withinMs = 0): Promise<boolean> {
    for (const end = Date.now() + withinMs; Date.now() < end && !existsSync(join(this.folder, 'killed')); ) await sleep(25);
    rmSync(join(this.folder, 'kill'), { force: true });
    return existsSync(join(this.folder, 'killed'));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
