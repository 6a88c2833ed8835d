import { expect } from '@jest/globals';
import type { MessageOf, MessageType } from '#contracts/registry.js';
import type { Decider } from '#domain/decider.js';
import { Refusal, type RefusalCode } from '#domain/refusal.js';

/** `given(decider, ...events).when(command).then(...events)`: asks twice, and expects nothing the second time. */
export function given<S, C, O extends MessageType>(decider: Decider<S, C, O>, ...history: readonly MessageOf<O>[]) {
  const fold = (messages: readonly MessageOf<O>[]): S => messages.reduce((state, message) => decider.evolve(state, message), decider.initial);
  return {
    state: () => fold(history),
    when(command: C) {
      return {
        then(...expected: readonly MessageOf<O>[]): void {
          const decided = decider.decide(command, fold(history));
          expect(decided).toEqual(expected);
          expect(decider.decide(command, fold([...history, ...decided]))).toEqual([]);
        },
        /** Only the names of what follows; for long lists whose data is tested elsewhere. */
        thenTypes(...types: readonly O[]): void {
          const decided = decider.decide(command, fold(history));
          expect(decided.map(({ type }) => type)).toEqual(types);
          expect(decider.decide(command, fold([...history, ...decided]))).toEqual([]);
        },
        refused(code: RefusalCode, message?: RegExp): void {
          let refusal: unknown;
          try {
            decider.decide(command, fold(history));
          } catch (error) {
            refusal = error;
          }
          expect(refusal).toBeInstanceOf(Refusal);
          expect(refusal).toMatchObject({ code });
          if (message) expect((refusal as Refusal).message).toMatch(message);
        },
      };
    },
  };
}
