import { expect, it } from '@jest/globals';
import { Steps } from './faults.js';

it('a step is named by the message that is worked on, its point, and how often that was come to meanwhile', () => {
  const steps = new Steps();
  const named = ['docker:list', 'handler:EnsureSite:received', 'docker:create', 'docker:create', 'handler:EnsureSite:done', 'handler:RemoveSite:received', 'docker:create'].map((point) => steps.next(point));
  expect(named).toEqual([
    '|docker:list#1', 'EnsureSite|handler:EnsureSite:received#1', 'EnsureSite|docker:create#1', 'EnsureSite|docker:create#2', 'EnsureSite|handler:EnsureSite:done#1',
    'RemoveSite|handler:RemoveSite:received#1', 'RemoveSite|docker:create#1',
  ]);
});
