/** At once. */
export const READERS = 16;
const READS = 600;

/** Milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** How long each of 600 reads took, with 16 readers at once. */
export async function underLoad(read: (i: number) => Promise<void>): Promise<number[]> {
  const took: number[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: READERS }, async () => {
    while (next < READS) {
      const i = next++;
      took.push(await timed(() => read(i)));
    }
  }));
  return took;
}
