import { randomBytes } from 'node:crypto';
import { collectDefaultMetrics, Registry } from 'prom-client';

export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the caller's span. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Version 00 of the W3C trace context; ids of zeros are not ids. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const found = TRACEPARENT.exec(header ?? '');
  return found ? { traceId: found[1]!, spanId: found[2]!, sampled: (parseInt(found[3]!, 16) & 1) === 1 } : undefined;
}

export function formatTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;
}

/** The next span of the caller's trace, or of a new one when the caller gave none that can be read. */
export function childTraceparent(parent: string | undefined, random: (size: number) => Buffer = randomBytes): string {
  const trace = parseTraceparent(parent);
  const spanId = random(8).toString('hex');
  return formatTraceparent(trace ? { ...trace, spanId } : { traceId: random(16).toString('hex'), spanId, sampled: true });
}

/** At prom-client's own 10 ms a process that has nothing to do would spend more on this than on all the rest. */
const LOOP_SAMPLED_EACH_MS = 100;

/** Where a process registers its metrics; holds those of Node (memory, event loop, garbage collection) from the start. */
export function createMetrics(app: string): Registry {
  const metrics = new Registry();
  metrics.setDefaultLabels({ app });
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: LOOP_SAMPLED_EACH_MS });
  return metrics;
}
