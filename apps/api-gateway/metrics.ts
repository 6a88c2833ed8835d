import { Gauge, Histogram, type Registry } from 'prom-client';
import { createMetrics } from '#boot/telemetry.js';
import type { ReadModel } from './read-model.js';

/** What the gateway counts. */
export class Metrics {
  readonly registry: Registry = createMetrics('api-gateway');
  private readonly requests = new Histogram({
    name: 'hostplane_http_request_seconds', help: 'Time from the first byte of a request to the last of its answer.', labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10], registers: [this.registry],
  });

  constructor(readModel: ReadModel) {
    new Gauge({
      name: 'hostplane_read_model_position', help: 'Log position that the read model has reached.', registers: [this.registry],
      collect() {
        this.set(readModel.position);
      },
    });
  }

  observe(method: string, route: string, status: number, tookSeconds: number): void {
    this.requests.observe({ method, route, status: String(status) }, tookSeconds);
  }
}
