import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';

/** A place in one of the bundle's files, as a trace names it. */
const BUNDLED = /(file:\/\/[^\s:"()]*\/bundle\/[\w.-]+\.js):(\d+):(\d+)/g;
const maps = new Map<string, SourceMap | undefined>();

/**
 * A text whose traces name our sources in place of the bundle's files. Only what is written is looked up: node's own way (`--enable-source-maps`) reads
 * through all code at each start, a tenth of it, and the maps for each trace that a library makes and throws away.
 */
export function withSourcePlaces(text: string): string {
  return text.replace(BUNDLED, (place, file: string, line: string, column: string) => {
    const found = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    return found && 'originalSource' in found ? `${new URL(found.originalSource, file).href}:${found.originalLine + 1}:${found.originalColumn + 1}` : place;
  });
}

function mapOf(file: string): SourceMap | undefined {
  if (!maps.has(file)) maps.set(file, readMap(file));
  return maps.get(file);
}

/** A trace without its sources is better than none. */
function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(new URL(`${file}.map`), 'utf8')) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
