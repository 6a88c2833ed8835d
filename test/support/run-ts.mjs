/** `node --experimental-transform-types --import <this> file.ts`: a child process that runs the sources as the suites do. */
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..', '..');

registerHooks({
  resolve(specifier, context, next) {
    const inLibs = /^#(.+)\.js$/.exec(specifier);
    if (inLibs) return next(pathToFileURL(join(root, 'libs', `${inLibs[1]}.ts`)).href, context);
    const isOurs = specifier.startsWith('.') && !context.parentURL?.includes('/node_modules/');
    return next(isOurs ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
