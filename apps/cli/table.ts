const control = /[\u0000-\u001f\u007f-\u009f]/g;

/** What may come from somebody else never moves the cursor or colours the terminal. */
export function printable(text: string): string {
  return text.replace(control, (c) => (c === '\n' ? ' ' : '\ufffd'));
}

/** Rows under headings, each column as wide as its widest cell. */
export function renderTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [headings, ...rows.map((row) => row.map((cell) => printable(cell)))];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}

/** One thing, a line a field; fields without a value are left out. */
export function renderFields(fields: Readonly<Record<string, string | number | undefined>>): string {
  const shown = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`).join('\n');
}

/** 2026-11-20T19:22:02.123Z as 2026-11-20 19:22:02, in UTC. */
export function renderTime(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}

export function renderElapsed(elapsedMs: number): string {
  const seconds = elapsedMs / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

/** A size in the largest unit that it has at least one of (powers of 1024). */
export function renderBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
