// npm run build, after the compiler: each process of a plane with all that it loads in a few files. One that looks for a thousand files takes twice as long to start.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const dist = join(import.meta.dirname, '../../dist');
const outdir = join(dist, 'bundle');

/**
 * What stays outside, and is looked for when it is asked for: what a package takes only where it is installed (other transports of NestJS, drivers), and CommonJS
 * that is imported on the way, of whose exports the bundle would give none but the default.
 */
const outside = {
  name: 'outside',
  setup(bundling) {
    bundling.onResolve({ filter: /^[^./#]/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === outside) return undefined;
      const found = await bundling.resolve(path, { kind, importer, resolveDir, pluginData: outside });
      return found.errors.length > 0 || (kind === 'dynamic-import' && isCommonJs(found.path)) ? { path, external: true } : undefined;
    });
  },
};

function isCommonJs(file) {
  return file.endsWith('.cjs') || (file.endsWith('.js') && JSON.parse(readFileSync(findPackageJSON(pathToFileURL(file)), 'utf8')).type !== 'module');
}

/** Of the engine's client: each is one function that a plane may never call (an engine behind SSH, a build with BuildKit), and a sixth of a start to load what it needs. */
const seldom = {
  name: 'seldom',
  setup(bundling) {
    bundling.onLoad({ filter: /(docker-modem.lib.ssh|dockerode.lib.session)\.js$/ }, ({ path, suffix }) =>
      suffix ? undefined : { contents: `module.exports = (...given) => require(${JSON.stringify(`${path}${ASKED}`)})(...given);`, resolveDir: dirname(path) });
    bundling.onResolve({ filter: /\?asked$/ }, ({ path }) => ({ path: path.slice(0, -ASKED.length), suffix: ASKED }));
  },
};
const ASKED = '?asked';

const { metafile } = await build({
  entryPoints: { 'control-plane': join(dist, 'infra/start/control-plane.js'), provisioner: join(dist, 'apps/provisioner/main.js') },
  outdir,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  keepNames: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  // The first is to be there before any decorator; the others look for files beside their own.
  external: ['reflect-metadata', 'pino', 'swagger-ui-dist', 'ssh2', '@grpc/grpc-js', '@grpc/proto-loader'],
  banner: { js: "import 'reflect-metadata'; import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
  plugins: [outside, seldom],
  metafile: true,
  absWorkingDir: dist,
  logLevel: 'warning',
});
// A process may be starting from what was there: only what is no part of it any more goes.
const made = new Set(Object.keys(metafile.outputs).map((file) => join(dist, file)));
for (const name of readdirSync(outdir)) if (!made.has(join(outdir, name))) rmSync(join(outdir, name), { recursive: true });
