import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version in package.json, which lies two folders above the sources and three above what is built. */
const root = import.meta.dirname.replace(/[\\/](dist[\\/])?apps[\\/]api-gateway$/, '');

export const VERSION = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
