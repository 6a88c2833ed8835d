import { applyDecorators, Catch, UseFilters, type ExceptionFilter } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import type { MessageType } from '#contracts/registry.js';

/** What a handler of a command or an event is told about its delivery. */
export interface HandlerContext {
  /** From 1. */
  readonly deliveryCount: number;
  /** After this many a message that may pass later is given up: the last chance to record a failure. */
  readonly maxDeliveries: number;
  readonly position: number;
  /** Aborted when the process stops and cannot wait any longer. */
  readonly signal: AbortSignal;
}

/**
 * Handles a command: `handler(message: StoredMessage<K>, context: HandlerContext)`. When it returns, the message is done. What it throws
 * decides what follows: a Refusal or an error with `retryable: false` ends in the dead letters; anything else is tried again later.
 */
export function OnCommand(type: MessageType): MethodDecorator {
  return applyDecorators(MessagePattern(commandPattern(type)), ...asHandler());
}

/** Handles events, like OnCommand; several handlers of one app may take the same type. */
export function OnEvent(...types: MessageType[]): MethodDecorator {
  return applyDecorators(EventPattern(types.map(eventPattern)), ...asHandler());
}

/** Answers an ask: `handler(data: Messages[K], cause: Cause)`. Returns a JSON value; a Refusal travels back to the caller. */
export function OnAsk(type: MessageType): MethodDecorator {
  return applyDecorators(MessagePattern(askPattern(type)), ...asHandler());
}

export const commandPattern = (type: string): string => `cmd.${type}`;
export const eventPattern = (type: string): string => `evt.${type}`;
const ASK = 'ask.';
export const askPattern = (type: string): string => `${ASK}${type}`;

/** The message type that a pattern asks for, when it is an ask's. */
export function askTypeOf(pattern: string): string | undefined {
  return pattern.startsWith(ASK) ? pattern.slice(ASK.length) : undefined;
}

/** Nest's own filter turns what a handler throws into a plain object without a cause; this one hands it on as it is. */
@Catch()
class ErrorAsItIs implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

function asHandler(): MethodDecorator[] {
  const twoArguments: MethodDecorator = (target, key) => {
    Payload()(target, key, 0);
    Ctx()(target, key, 1);
  };
  return [UseFilters(new ErrorAsItIs()), twoArguments];
}
