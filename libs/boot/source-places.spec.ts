import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { createLogger } from './logger.js';
import { withSourcePlaces } from './source-places.js';

describe('a trace through the bundle', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hostplane-sources-'));
    writeFileSync(join(folder, 'thrower.ts'), '// One line more than the bundle has.\ninterface Gone { a: 1 }\nexport function thrower(_: Gone): Error {\n  return new Error("thrown");\n}\n');
    await build({ entryPoints: [join(folder, 'thrower.ts')], outdir: join(folder, 'dist/bundle'), bundle: true, format: 'esm', sourcemap: 'linked', logLevel: 'silent' });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('names the source, in whatever is logged', () => {
    const at = (file: string, place: string): string => `Error: thrown\n    at thrower (${pathToFileURL(join(folder, file)).href}:${place})\n    at node:internal/x:1:1`;
    const lines: string[] = [];
    const err = Object.assign(new Error('thrown'), { stack: at('dist/bundle/thrower.js', '3:10') });
    createLogger({ app: 'a', destination: { write: (line) => void lines.push(line) } }).error({ err }, 'It broke');
    expect(JSON.parse(lines[0]!)).toMatchObject({ err: { stack: at('thrower.ts', '4:10') } });
  });

  it('stays as it is where there is no map', () => {
    const text = 'at x (file:///nowhere/dist/bundle/gone.js:1:2) at y (file:///nowhere/else.js:3:4)';
    expect(withSourcePlaces(text)).toBe(text);
  });
});
