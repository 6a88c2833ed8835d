/** Does work in turn: at most `abreast` at once for each key, the others wait in the order in which they came. */
export class InTurn {
  private readonly lines = new Map<string, { working: number; waiting: (() => void)[] }>();

  constructor(private readonly abreast = 1) {}

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.lines.get(key) ?? { working: 0, waiting: [] };
    this.lines.set(key, line);
    if (line.working < this.abreast) line.working++;
    else await new Promise<void>((go) => line.waiting.push(go));
    try {
      return await work();
    } finally {
      const next = line.waiting.shift();
      if (next) next();
      else if (--line.working === 0) this.lines.delete(key);
    }
  }
}
