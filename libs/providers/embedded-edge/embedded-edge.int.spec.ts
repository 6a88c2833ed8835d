import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { edgeContract, type EdgeUnderTest } from '../contract/edge.contract.js';
import { edgeRulesContract } from '../contract/edge-rules.contract.js';
import { edgeTlsContract } from '../contract/edge-tls.contract.js';
import { EmbeddedEdge } from './embedded-edge.js';

// It dies with its process, and writes nothing when it stops: a death leaves behind what a stop does, and perhaps a file that was being written.
const underTest: EdgeUnderTest = {
  make: (settings) => new EmbeddedEdge(settings),
  kill: async (settings, edge) => {
    await edge.stop();
    await writeFile(join(settings.folder, 'table.json.1.new'), '{"half');
  },
};

edgeContract('the embedded edge', underTest);
edgeRulesContract('the embedded edge', underTest);
edgeTlsContract('the embedded edge', underTest);
