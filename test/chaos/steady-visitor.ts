import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MS = 50;

/** Visits again and again, and keeps what was not answered as it should be: for what must go on whatever dies. */
export class SteadyVisitor {
  private visits = 0;
  private readonly failed: string[] = [];
  private isLeaving = false;
  private readonly going: Promise<void>;

  /** `look` throws, or answers what is wrong; undefined: nothing is. */
  constructor(private readonly look: () => Promise<string | undefined>) {
    this.going = this.go();
  }

  /** Ends the visits, and says which were not answered as they should be. */
  async leave(): Promise<readonly string[]> {
    this.isLeaving = true;
    await this.going;
    return this.visits > 0 ? this.failed : ['Nothing was visited.'];
  }

  private async go(): Promise<void> {
    for (; !this.isLeaving; await sleep(PAUSE_MS)) {
      const wrong = await this.look().catch((error: unknown) => String(error));
      this.visits++;
      if (wrong !== undefined) this.failed.push(`${new Date().toISOString()} ${wrong}`);
    }
  }
}
