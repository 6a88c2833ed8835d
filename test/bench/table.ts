/** One line of the table: a figure beside its floor (what the machine can do at all) or a peer. */
export interface BenchRow {
  readonly what: string;
  readonly ours: string;
  readonly floor?: string;
  readonly ratio?: string;
  /** As targets say it, for example ≥ 0.65 ×. */
  readonly target: string;
  readonly met?: boolean;
}

/** What a *.bench.ts exports as `run`: reports each row when it has it. `wants` tells which of its parts were asked for, by target or name. */
export type Bench = (report: (row: BenchRow) => void, wants: (part: string) => boolean) => Promise<void>;

/** A bench that takes this long says what it is doing; goes to stderr, so that the table can be redirected. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A row about rates: more is better; met when ours ÷ floor is at least `atLeast`. */
export function rateRow(what: string, oursPerS: number, floorPerS: number, atLeast: number, more: { note?: string; alsoMet?: boolean; alsoTarget?: string } = {}): BenchRow {
  const ratio = oursPerS / floorPerS;
  return {
    what, ours: `${perSecond(oursPerS)}${more.note ? `, ${more.note}` : ''}`, floor: perSecond(floorPerS), ratio: `${ratio.toFixed(2)} ×`,
    target: `≥ ${atLeast} ×${more.alsoTarget ? `, ${more.alsoTarget}` : ''}`, met: ratio >= atLeast && (more.alsoMet ?? true),
  };
}

/** A row about times: less is better; met when ours ÷ floor is at most `atMost`. */
export function timeRow(what: string, oursMs: number, floorMs: number, atMost: number): BenchRow {
  const ratio = oursMs / floorMs;
  return { what, ours: milliseconds(oursMs), floor: milliseconds(floorMs), ratio: `${ratio.toFixed(2)} ×`, target: `≤ ${atMost} ×`, met: ratio <= atMost };
}

export function perSecond(value: number): string {
  return value >= 10_000 ? `${(value / 1_000).toFixed(1)} k/s` : `${Math.round(value)}/s`;
}

export function milliseconds(value: number): string {
  return value >= 1_000 ? `${(value / 1_000).toFixed(2)} s` : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The smallest value that a share of the values does not exceed; 0.99: the 99th percentile. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function printTable(rows: readonly BenchRow[]): void {
  const lines = [['what', 'ours', 'floor', 'ratio', 'target', ''], ...rows.map((row) => [row.what, row.ours, row.floor ?? '', row.ratio ?? '', row.target, row.met === undefined ? '' : row.met ? 'met' : 'MISSED'])];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const line of lines) process.stdout.write(`${line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()}\n`);
}
