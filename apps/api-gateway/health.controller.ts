import { Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Health as ShownHealth } from '#api/health.js';
import { ProblemError } from '#api/problem.js';
import { allows } from '#api/token.js';
import { Health } from '#boot/health.js';
import { Answer } from './answer.js';
import { Metrics } from './metrics.js';
import { Serves } from './serves.js';
import { VERSION } from './version.js';

@Controller()
export class HealthController {
  constructor(
    private readonly health: Health,
    private readonly metrics: Metrics,
  ) {}

  @Serves('showHealth')
  show(): Promise<Answer> {
    return this.report();
  }

  @Serves('showReadiness')
  ready(): Promise<Answer> {
    return this.report();
  }

  @Serves('showLiveness')
  live(): object {
    return shown([]);
  }

  @Serves('showMetrics')
  async scrape(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const isAdmin = request.caller !== undefined && allows(request.caller.scopes, 'admin');
    if (!isAdmin && !isLocal(request)) throw new ProblemError('forbidden', 'Metrics are shown on this machine, or with an admin token.');
    const registry: Registry = this.metrics.registry;
    void reply.type(registry.contentType);
    return registry.metrics();
  }

  private async report(): Promise<Answer> {
    const { healthy, checks } = await this.health.report();
    const parts = checks.map((check) => ({ name: check.name, ok: check.healthy, detail: check.error ?? check.detail ?? `${check.tookMs} ms` }));
    return new Answer(healthy ? 200 : 503, shown(parts), { 'cache-control': 'no-store' });
  }
}

function shown(parts: ShownHealth['parts']): ShownHealth {
  return { status: parts.every((part) => part.ok) ? 'ok' : 'degraded', version: VERSION, uptimeSeconds: Math.floor(process.uptime()), parts };
}

/** Straight from this machine: a proxy here would speak for others. */
function isLocal(request: FastifyRequest): boolean {
  const address = request.socket.remoteAddress ?? '';
  return /^(::1$|(::ffff:)?127\.)/.test(address) && !request.headers['x-forwarded-for'] && !request.headers['forwarded'];
}
