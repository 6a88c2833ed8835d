import { describe, expect, it } from '@jest/globals';
import { childTraceparent, createMetrics, parseTraceparent } from './telemetry.js';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const fixed = (size: number) => Buffer.alloc(size, 0xab);

describe('traceparent', () => {
  it('gives a child the trace and the sampling of its parent, and a span of its own', () => {
    expect(childTraceparent(`00-${trace}-00f067aa0ba902b7-00`, fixed)).toBe(`00-${trace}-abababababababab-00`);
  });

  it.each([undefined, '', 'x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${trace}-${'0'.repeat(16)}-01`, `ff-${trace}-00f067aa0ba902b7-01`])(
    'begins a new trace where the caller gave none that can be read (%s)',
    (header) => {
      expect(parseTraceparent(header)).toBeUndefined();
      expect(childTraceparent(header, fixed)).toBe(`00-${'ab'.repeat(16)}-abababababababab-01`);
    },
  );
});

describe('createMetrics', () => {
  it('holds those of Node, labelled with the app, apart from those of another app in the same process', async () => {
    const [a, b] = [createMetrics('a'), createMetrics('b')];
    expect(await a.metrics()).toContain('process_resident_memory_bytes{app="a"}');
    expect(await b.metrics()).not.toContain('app="a"');
  });
});
