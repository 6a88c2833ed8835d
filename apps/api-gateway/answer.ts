import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { map, type Observable } from 'rxjs';
import { API_BASE } from '#api/route.js';
import { routeOf } from './serves.js';

/** What a handler answers when it is not simply the body of the route's first answer. */
export class Answer<T = unknown> {
  constructor(
    readonly status: number,
    readonly body: T,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}
}

/** 202 with the operation as Location. */
export function accepted<T>(body: T, operationId: string): Answer<T> {
  return new Answer(202, body, { location: `${API_BASE}/operations/${operationId}` });
}

/** Sends answers: the status of the route's first answer unless the handler said which. */
@Injectable()
export class AnswerSender implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const usual = Number(Object.keys(routeOf(context.getHandler()).answers)[0]);
    return next.handle().pipe(
      map((answer: unknown) => {
        if (!(answer instanceof Answer)) {
          if (!reply.sent) void reply.status(usual);
          return answer;
        }
        void reply.status(answer.status).headers(answer.headers);
        return answer.body as unknown;
      }),
    );
  }
}
