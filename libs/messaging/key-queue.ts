/** Runs what has the same key one after the other, and different keys at once. */
export class KeyQueue {
  private readonly tails = new Map<string, Promise<unknown>>();

  /** Resolves or rejects as the work does; what failed does not hold up what follows it. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.tails.get(key) ?? Promise.resolve()).then(work, work);
    const tail = turn.catch(() => undefined).finally(() => {
      if (this.tails.get(key) === tail) this.tails.delete(key);
    });
    this.tails.set(key, tail);
    return turn;
  }
}
