import { renderFields, renderTable } from './table.js';

/** What the CLI reads from and writes to; results on `out`, everything else on `err`. */
export interface Io {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly in: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
  /** Aborted when the user stops waiting. */
  readonly signal?: AbortSignal;
}

/** Prints results: as text for people, or as JSON and nothing but JSON for scripts. */
export class Terminal {
  constructor(
    readonly io: Io,
    readonly isJson: boolean,
  ) {}

  /** Whether progress can be redrawn in place. */
  get isLive(): boolean {
    return !this.isJson && this.io.err.isTTY === true && this.io.env['TERM'] !== 'dumb' && !this.io.env['CI'];
  }

  json(value: unknown): void {
    this.io.out.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One line of NDJSON. */
  jsonLine(value: unknown): void {
    this.io.out.write(`${JSON.stringify(value)}\n`);
  }

  line(text: string): void {
    this.io.out.write(`${text}\n`);
  }

  /** For people only, and not part of the result. */
  note(text: string): void {
    if (!this.isJson) this.io.err.write(`${text}\n`);
  }

  fields(value: unknown, fields: Readonly<Record<string, string | number | undefined>>): void {
    if (this.isJson) this.json(value);
    else this.line(renderFields(fields));
  }

  table(value: unknown, headings: readonly string[], rows: readonly (readonly string[])[], whenEmpty: string): void {
    if (this.isJson) return this.json(value);
    if (rows.length === 0) return this.note(whenEmpty);
    this.line(renderTable(headings, rows));
  }
}
