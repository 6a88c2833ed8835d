import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';
import type { Ask, AskType, Fact, Failure, Outputs, Settlement, Workflow, WorkflowKind } from './workflow.js';
import { workflowOf } from './workflows.js';

export type OperationEventType =
  | 'OperationStarted' | 'OperationStepStarted' | 'OperationStepSucceeded' | 'OperationStepFailed'
  | 'OperationUndoStarted' | 'OperationUndoSucceeded' | 'OperationUndoFailed' | 'OperationSucceeded' | 'OperationFailed';
type Output = MessageOf<OperationEventType | AskType>;

export interface Operation {
  readonly status: 'forward' | 'undoing' | 'succeeded' | 'failed';
  readonly id: string;
  readonly kind: WorkflowKind;
  readonly siteId: string;
  readonly projectId: string;
  /** Backup whose removal it is, or empty. */
  readonly backupId: string;
  readonly input: unknown;
  /** Index of the step that is under way or being taken back. */
  readonly step: number;
  /** Number of the ask that is open; answers to earlier ones are late and change nothing. */
  readonly turn: number;
  readonly outputs: Outputs;
  readonly failure: Failure | undefined;
}
export type OperationState = { readonly status: 'absent' } | Operation;

export type OperationCommand =
  | { type: 'StartOperation'; id: string; kind: WorkflowKind; siteId: string; projectId: string; backupId?: string; input: unknown }
  | { type: 'Answer'; fact: Fact }
  | { type: 'CancelOperation'; reason: string };

/**
 * One run of a workflow. It asks for one thing at a time, goes on with the answer, and when a step fails takes that step and the
 * earlier ones back, last first. What it has asked and heard is in its stream; nothing else is remembered.
 */
export const operationDecider: Decider<OperationState, OperationCommand, OperationEventType | AskType> = {
  category: 'operation',
  initial: { status: 'absent' },
  decide(command, state) {
    if (command.type === 'StartOperation') return state.status === 'absent' ? start(command) : [];
    if (command.type === 'Answer') return state.status !== 'absent' && isAnswer(state, command.fact) ? advance(state, command.fact) : [];
    if (state.status === 'absent') throw new Refusal('not-found', 'There is no such operation.');
    return cancel(state, command.reason);
  },
  evolve,
};

/** What the end of an operation means to the aggregate that it was for; undefined while it goes on. */
export function settlementOf(operation: OperationState): Settlement | undefined {
  if (operation.status === 'succeeded') return workflowOf(operation.kind).succeed(operation.id, operation.outputs);
  if (operation.status === 'failed' && operation.failure) return workflowOf(operation.kind).fail(operation.id, operation.failure);
  return undefined;
}

function start(command: Extract<OperationCommand, { type: 'StartOperation' }>): readonly Output[] {
  const { id, kind, siteId, projectId, backupId = '', input } = command;
  const fresh: Operation = { status: 'forward', id, kind, siteId, projectId, backupId, input, step: 0, turn: 0, outputs: {}, failure: undefined };
  const steps = stepsOf(fresh).map(({ name }) => name);
  return [{ type: 'OperationStarted', data: { operationId: id, kind, siteId, projectId, steps, input: JSON.stringify(input), backupId } }, ...askStep(fresh, 0, {})];
}

function isAnswer(state: Operation, fact: Fact): boolean {
  return fact.data.operationId === state.id && fact.data.turn === state.turn;
}

function advance(state: Operation, fact: Fact): readonly Output[] {
  const step = stepsOf(state)[state.step];
  if (!step) return [];
  const ids = { operationId: state.id, step: step.name };
  if (state.status === 'forward') {
    if (fact.type === step.failed) return fail(state, errorOf(fact));
    if (fact.type !== step.done) return [];
    const output = step.output?.(fact) ?? {};
    return [{ type: 'OperationStepSucceeded', data: { ...ids, output: JSON.stringify(output) } }, ...askStep(state, state.step + 1, output)];
  }
  if (state.status !== 'undoing' || !step.undo) return [];
  if (fact.type === step.undo.done) return [{ type: 'OperationUndoSucceeded', data: ids }, ...askUndo(state, state.step - 1, [step.name])];
  if (fact.type === step.undo.failed) return [{ type: 'OperationUndoFailed', data: { ...ids, error: errorOf(fact) } }, ...askUndo(state, state.step - 1, [])];
  return [];
}

function cancel(state: Operation, reason: string): readonly Output[] {
  if (state.status === 'undoing' || state.status === 'failed') return [];
  if (state.status === 'succeeded') throw new Refusal('conflict', 'The operation has succeeded already.');
  if (!workflowOf(state.kind).cancellable) throw new Refusal('conflict', `An operation of the kind ${state.kind} cannot be cancelled: it only goes forward.`);
  return fail(state, reason);
}

function fail(state: Operation, error: string): readonly Output[] {
  const step = stepsOf(state)[state.step]?.name ?? '';
  if (isOptional(state, step)) return [{ type: 'OperationStepFailed', data: { operationId: state.id, step, error } }, ...askStep(state, state.step + 1, {})];
  const failed: Operation = { ...state, failure: { step, error, undone: [] } };
  return [{ type: 'OperationStepFailed', data: { operationId: state.id, step, error } }, ...askUndo(failed, state.step, [])];
}

function askStep(state: Operation, index: number, output: Outputs): readonly Output[] {
  const step = stepsOf(state)[index];
  if (!step) return [{ type: 'OperationSucceeded', data: { operationId: state.id } }];
  const ask = step.ask(state.input as never, { ...state.outputs, ...output });
  return [{ type: 'OperationStepStarted', data: { operationId: state.id, step: step.name } }, send(state, ask)];
}

function askUndo(state: Operation, from: number, undone: readonly string[]): readonly Output[] {
  const { step, error, undone: before } = state.failure ?? { step: '', error: '', undone: [] };
  const index = stepsOf(state).findLastIndex((candidate, i) => i <= from && candidate.undo);
  const next = stepsOf(state)[index];
  if (!next?.undo) return [{ type: 'OperationFailed', data: { operationId: state.id, step, error, undone: [...before, ...undone] } }];
  return [{ type: 'OperationUndoStarted', data: { operationId: state.id, step: next.name } }, send(state, next.undo.ask(state.input as never, state.outputs))];
}

function send(state: Operation, ask: Ask): MessageOf<AskType> {
  return { type: ask.type, data: { ...ask.data, operationId: state.id, turn: state.turn + 1 } } as MessageOf<AskType>;
}

const stepsOf = (state: Operation): Workflow<never>['steps'] => workflowOf(state.kind).steps.filter((step) => step.appliesTo?.(state.input as never) ?? true);

const isOptional = (state: Operation, name: string): boolean => stepsOf(state).some((step) => step.name === name && step.optional === true);

const errorOf = (fact: Fact): string => ('error' in fact.data ? fact.data.error : '');

function evolve(state: OperationState, message: Output): OperationState {
  if (state.status === 'absent') {
    if (message.type !== 'OperationStarted') throw new Error(`${message.type} for an operation that was never started.`);
    const { operationId, kind, siteId, projectId, backupId, input } = message.data;
    return { status: 'forward', id: operationId, kind: kind as WorkflowKind, siteId, projectId, backupId, input: JSON.parse(input) as unknown, step: 0, turn: 0, outputs: {}, failure: undefined };
  }
  const indexOf = (name: string): number => stepsOf(state).findIndex((step) => step.name === name);
  switch (message.type) {
    case 'OperationStepStarted':
      return { ...state, step: indexOf(message.data.step), turn: state.turn + 1 };
    case 'OperationStepSucceeded':
      return { ...state, outputs: { ...state.outputs, ...(JSON.parse(message.data.output) as Outputs) } };
    case 'OperationStepFailed':
      if (isOptional(state, message.data.step)) return state;
      return { ...state, status: 'undoing', failure: { step: message.data.step, error: message.data.error, undone: [] } };
    case 'OperationUndoStarted':
      return { ...state, step: indexOf(message.data.step), turn: state.turn + 1 };
    case 'OperationUndoSucceeded':
      return { ...state, failure: state.failure && { ...state.failure, undone: [...state.failure.undone, message.data.step] } };
    case 'OperationSucceeded':
      return { ...state, status: 'succeeded' };
    case 'OperationFailed':
      return { ...state, status: 'failed' };
    default:
      return state;
  }
}
