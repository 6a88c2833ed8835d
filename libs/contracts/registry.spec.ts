import { describe, expect, it } from '@jest/globals';
import { deriveId } from './ids.js';
import { decodeData, encodeData, isMessageType } from './registry.js';
import { subjectOf } from '#contracts/routing.js';

describe('message data', () => {
  it('comes back as it went in', () => {
    const data = { operationId: 'o', siteId: 's', hostId: 'h', revision: 7, servedRevision: 8, configHash: 'c', turn: 1, tunnel: 't' };
    expect(decodeData('EdgeApplied', encodeData('EdgeApplied', data))).toEqual(data);
  });
  it('has defaults for fields that an older writer did not know', () => {
    expect(decodeData('EdgeApplied', '{"siteId":"s"}')).toEqual({ operationId: '', siteId: 's', hostId: '', revision: 0, servedRevision: 0, configHash: '', turn: 0, tunnel: '' });
  });
  it('knows its types and no others', () => {
    expect([isMessageType('SiteActivated'), isMessageType('toString'), isMessageType('protobufPackage')]).toEqual([true, false, false]);
  });
});

describe('ids', () => {
  it('follow from their parts', () => {
    expect(deriveId('a', 1)).toBe(deriveId('a', 1));
    expect(deriveId('a', 1)).not.toBe(deriveId('a1'));
  });
});

describe('subjects', () => {
  it('tell events by stream and commands by destination', () => {
    const data = { operationId: 'o', siteId: 's1', hostId: 'local', turn: 1 };
    expect(subjectOf({ kind: 'event', type: 'SiteActivated', streamId: 'site/s1', data: { siteId: 's1', operationId: 'o', target: undefined } })).toBe('evt.site.SiteActivated.s1');
    expect(subjectOf({ kind: 'command', type: 'EnsureEdge', streamId: 'operation/o', data })).toBe('cmd.host.local.EnsureEdge.s1');
  });
});
