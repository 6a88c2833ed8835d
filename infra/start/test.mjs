// npm test: installs and builds what is missing, gets the real parts, and runs every suite (run-tests.ts).
import { join } from 'node:path';
import { become, env, finish, node24, prepare, root } from './prepare.mjs';

try {
  await prepare();
  become(node24, ['--enable-source-maps', join(root, 'dist/infra/start/run-tests.js'), ...process.argv.slice(2)], {
    // Hundreds of planes' processes start: their compiled code is kept between starts, as npm start does.
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'),
    ...env,
  });
} catch (error) {
  finish(error);
}
