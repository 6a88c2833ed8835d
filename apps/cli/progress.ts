import pc from 'picocolors';
import { isEnded, type Operation, type OperationStep } from '#api/operation.js';
import { printable, renderBytes, renderElapsed } from './table.js';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

const marks: Record<OperationStep['status'], string> = {
  waiting: '·', running: '…', succeeded: '✔', failed: '✖', undoing: '↺', undone: '↩', 'undo-failed': '✖',
};

type Colours = Pick<typeof pc, 'green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan'>;

/** An operation as lines for a terminal, redrawn at each turn of the spinner. */
export function renderOperation(operation: Operation, nowMs: number, frame: number, colours: Colours = pc): string[] {
  const turning = frames[frame % frames.length] ?? '';
  const elapsed = renderElapsed((isEnded(operation.status) ? Date.parse(operation.updatedAt) : nowMs) - Date.parse(operation.createdAt));
  const lines = [`${headMark(operation, turning, colours)} ${colours.bold(operation.kind)} ${colours.dim(`${operation.status} ${elapsed}`)}`];
  for (const step of operation.steps) lines.push(`  ${stepMark(step, turning, colours)} ${step.name}${colours.dim(tookOf(step, nowMs))}${isUnderWay(step) ? colours.dim(farOf(operation)) + colours.yellow(delayOf(operation)) : ''}${step.error ? colours.red(` ${printable(step.error)}`) : ''}`);
  if (operation.error && !operation.steps.some((step) => step.error === operation.error)) lines.push(colours.red(`  ${printable(operation.error)}`));
  return lines;
}

/** What is new since the last look, as lines for a log; why it failed is said at its end, once. */
export function renderChanges(before: Operation | undefined, now: Operation): string[] {
  const lines = before ? [] : [`${now.kind}: ${now.status}`];
  for (const step of now.steps) {
    const last = before?.steps.find((one) => one.name === step.name);
    if (step.status === 'waiting' || last?.status === step.status) continue;
    const isNews = step.error !== undefined && step.error !== last?.error;
    lines.push(`${now.kind}: ${step.name} ${step.status}${isNews ? `: ${printable(step.error ?? '')}` : ''}`);
  }
  if (now.delay && now.delay !== before?.delay) lines.push(`${now.kind}:${delayOf(now)}`);
  if (farOf(now) !== '' && farOf(now) !== farOf(before)) lines.push(`${now.kind}:${farOf(now)}`);
  if (before && before.status !== now.status) lines.push(`${now.kind}: ${now.status}`);
  return lines;
}

function headMark(operation: Operation, turning: string, colours: Colours): string {
  if (operation.status === 'succeeded') return colours.green('✔');
  if (operation.status === 'failed') return colours.red('✖');
  if (operation.status === 'dropped') return colours.yellow('–');
  return colours.cyan(turning);
}

function stepMark(step: OperationStep, turning: string, colours: Colours): string {
  if (isUnderWay(step)) return colours.cyan(turning);
  const mark = marks[step.status];
  if (step.status === 'succeeded') return colours.green(mark);
  return step.status === 'failed' || step.status === 'undo-failed' ? colours.red(mark) : colours.dim(mark);
}

/** How far the data of the step under way is. */
function farOf(operation: Operation | undefined): string {
  return operation?.progress ? ` ${operation.progress.phase} ${renderBytes(operation.progress.bytes)}` : '';
}

/** Why the step under way takes so long. */
function delayOf({ delay }: Operation): string {
  return delay ? ` tried again: ${printable(delay)}` : '';
}

const isUnderWay = ({ status }: OperationStep): boolean => status === 'running' || status === 'undoing';

function tookOf(step: OperationStep, nowMs: number): string {
  if (!step.startedAt) return '';
  return ` ${renderElapsed((step.endedAt ? Date.parse(step.endedAt) : nowMs) - Date.parse(step.startedAt))}`;
}
