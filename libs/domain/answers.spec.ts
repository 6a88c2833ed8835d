import { describe, it } from '@jest/globals';
import type { MessageOf } from '#contracts/registry.js';
import { given } from '../../test/support/given.js';
import { edgeDecider } from './answers.js';

const ids = (revision: number) => ({ operationId: 'o', siteId: 's', hostId: 'local', turn: 1, revision });
const applied = (revision: number): MessageOf<'EdgeApplied'> => ({ type: 'EdgeApplied', data: { ...ids(revision), servedRevision: revision, configHash: 'h', tunnel: '' } });
const delayed = (revision: number, tries: number, error: string): MessageOf<'WorkDelayed'> => ({ type: 'WorkDelayed', data: { ...ids(revision), projectId: '', tries, error, step: '' } });

describe('what a host answers', () => {
  it('is one answer to each command, in the order of their positions', () => {
    given(edgeDecider).when(applied(4)).then(applied(4));
    given(edgeDecider, applied(4)).when(applied(4)).then();
    given(edgeDecider, applied(4)).when(applied(3)).then();
    given(edgeDecider, applied(4)).when(applied(5)).then(applied(5));
  });
  it('comes after the reasons why it takes so long, each told once', () => {
    given(edgeDecider).when(delayed(4, 1, 'no tunnel')).then(delayed(4, 1, 'no tunnel'));
    given(edgeDecider, delayed(4, 1, 'no tunnel')).when(delayed(4, 2, 'no tunnel')).then();
    given(edgeDecider, delayed(4, 1, 'no tunnel')).when(delayed(4, 2, 'no nginx')).then(delayed(4, 2, 'no nginx'));
    given(edgeDecider, delayed(4, 1, 'no tunnel')).when(delayed(6, 1, 'no tunnel')).then(delayed(6, 1, 'no tunnel'));
    given(edgeDecider, delayed(4, 1, 'no tunnel')).when(applied(4)).then(applied(4));
  });
  it('has no reasons after it', () => {
    given(edgeDecider, applied(4)).when(delayed(4, 2, 'no tunnel')).then();
    given(edgeDecider, delayed(4, 1, 'no tunnel'), applied(4)).when(delayed(5, 1, 'no tunnel')).then(delayed(5, 1, 'no tunnel'));
  });
});
