/** How far a piece of work is. */
export interface Progress {
  at(phase: 'reading' | 'storing' | 'fetching' | 'unpacking', bytes: number): void;
}

/** How far each piece of work on this host is, by its operation; of nobody's business once it is done. */
export class ProgressBoard {
  private readonly board = new Map<string, { phase: string; bytes: number }>();

  async during<T>(operationId: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    try {
      return await work({ at: (phase, bytes) => void this.board.set(operationId, { phase, bytes }) });
    } finally {
      this.board.delete(operationId);
    }
  }

  /** Undefined when nothing is under way. */
  of(operationId: string): { phase: string; bytes: number } | undefined {
    return this.board.get(operationId);
  }
}
