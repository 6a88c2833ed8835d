// npm test: installs and builds what is missing, gets the real parts, and runs every suite (run-tests.ts).
import { join } from 'node:path';
import { become, finish, node24, prepare, root } from './prepare.mjs';

try {
  await prepare();
  become(node24, ['--enable-source-maps', join(root, 'dist/infra/start/run-tests.js'), ...process.argv.slice(2)]);
} catch (error) {
  finish(error);
}
