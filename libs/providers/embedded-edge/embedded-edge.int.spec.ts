import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { edgeContract } from '../contract/edge.contract.js';
import { EmbeddedEdge } from './embedded-edge.js';

// It dies with its process, and writes nothing when it stops: a death leaves behind what a stop does, and perhaps a file that was being written.
edgeContract('the embedded edge', {
  make: (settings) => new EmbeddedEdge(settings),
  kill: async (settings, edge) => {
    await edge.stop();
    await writeFile(join(settings.folder, 'table.json.1.new'), '{"half');
  },
});
