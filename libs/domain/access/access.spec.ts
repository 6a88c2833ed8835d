import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { memberGuard } from './guard.js';
import { membersDecider, type MembersCommand } from './members.js';
import { describeRights, includesRight, isProjectRight, may, rights, type Right, type Standing } from './rights.js';

// One row a right, one column a standing: x may.
const standings = ['viewer', 'developer', 'admin', 'owner', 'operator'] as const satisfies readonly Standing[];
const expected = `
projects:read   xxxxx
sites:read      xxxxx
secrets:list    xxxx.
backups:read    xxxxx
sites:create    .xxx.
sites:deploy    .xxx.
sites:run       .xxx.
sites:exec      .xxx.
secrets:write   .xxx.
backups:create  .xxx.
projects:run    .xxx.
sites:delete    ..xx.
secrets:read    ..xx.
backups:restore ..xx.
members:write   ..xx.
quota:write     ..xxx
projects:delete ...x.`;
const lines = expected.trim().split('\n').map((line) => line.split(/\s+/) as [Right, string]);
const cells = lines.flatMap(([right, marks]) => standings.map((standing, at) => [standing, right, marks[at] === 'x'] as const));

describe('the table of rights', () => {
  it.each(cells)('%s, %s: %s', (standing, right, allowed) => expect(may(standing, right)).toBe(allowed));
  it('has a line for each right of a project', () => {
    expect(lines.map(([right]) => right)).toEqual(rights.filter(isProjectRight));
    expect(describeRights().map(({ right }) => right)).toEqual(rights);
  });
});

describe('a list of rights', () => {
  it.each([
    [['sites:deploy'], 'sites:deploy', true], [['sites:deploy'], 'sites:read', true], [['sites:deploy'], 'sites:delete', false], [['sites:deploy'], 'projects:read', false],
    [['secrets:list'], 'secrets:read', false], [['secrets:write'], 'secrets:read', false], [['secrets:read'], 'secrets:read', true], [[], 'sites:read', false],
  ] as [Right[], Right, boolean][])('%j holds %s: %s', (limits, right, held) => expect(includesRight(limits, right)).toBe(held));
});

const asked = { projectId: 'p', founderId: 'ann' };
const added = (memberId: string, role: string) => ({ type: 'MemberAdded', data: { projectId: 'p', memberId, role } }) as const;
const removed = (memberId: string) => ({ type: 'MemberRemoved', data: { projectId: 'p', memberId } }) as const;
const changed = (memberId: string, role: string, before: string) => ({ type: 'MemberRoleChanged', data: { projectId: 'p', memberId, role, before } }) as const;
const add = (by: string, memberId: string, role: string): MembersCommand => ({ ...asked, type: 'AddMember', by, memberId, role });
const change = (by: string, memberId: string, role: string): MembersCommand => ({ ...asked, type: 'ChangeMember', by, memberId, role });
const remove = (by: string, memberId: string): MembersCommand => ({ ...asked, type: 'RemoveMember', by, memberId });
const authorize = (by: string, right: Right) => ({ ...asked, by, right });

describe('members', () => {
  it('begin with who founded the project, as owner', () => {
    given(memberGuard).when(authorize('ann', 'projects:delete')).then();
    given(memberGuard).when(authorize('bob', 'projects:read')).refused('not-found');
    given(memberGuard).when(authorize('', 'projects:read')).refused('not-found');
  });
  it('are let in with a role, and may what it comes with', () => {
    given(membersDecider).when(add('ann', 'bob', 'developer')).then(added('bob', 'developer'));
    given(memberGuard, added('bob', 'developer')).when(authorize('bob', 'sites:deploy')).then();
    given(memberGuard, added('bob', 'developer')).when(authorize('bob', 'members:write')).refused('forbidden', /developer of the project.*members:write/);
    given(membersDecider, added('bob', 'developer')).when(add('ann', 'bob', 'viewer')).refused('conflict', /already, as developer/);
    given(membersDecider).when(add('ann', 'bob', 'king')).refused('invalid', /viewer, developer, admin, owner/);
  });
  it('are told whom to ask: those who may do it, or give them the role that may', () => {
    given(memberGuard, added('bob', 'admin')).when(authorize('bob', 'projects:delete')).refused('forbidden', /Ask an owner of the project\./);
    given(memberGuard, added('bob', 'viewer')).when(authorize('bob', 'sites:delete')).refused('forbidden', /Ask an owner or admin of the project\./);
  });
  it('change their role, and are let out', () => {
    given(membersDecider, added('bob', 'viewer')).when(change('ann', 'bob', 'admin')).then(changed('bob', 'admin', 'viewer'));
    given(membersDecider).when(change('ann', 'bob', 'admin')).refused('not-found');
    given(membersDecider, added('bob', 'viewer')).when(remove('ann', 'bob')).then(removed('bob'));
    given(memberGuard, added('bob', 'viewer'), removed('bob')).when(authorize('bob', 'projects:read')).refused('not-found');
    given(membersDecider, added('bob', 'viewer'), removed('bob')).when(add('ann', 'bob', 'viewer')).then(added('bob', 'viewer'));
  });
  it('leave by themselves, whatever they are', () => {
    expect(membersDecider.decide(remove('bob', 'bob'), given(membersDecider, added('bob', 'viewer')).state())).toEqual([removed('bob')]);
    given(membersDecider, added('bob', 'viewer'), added('carl', 'viewer')).when(remove('bob', 'carl')).refused('forbidden');
  });
  it('always have an owner among them', () => {
    given(membersDecider, added('bob', 'admin')).when(remove('ann', 'ann')).refused('conflict', /last owner/);
    given(membersDecider, added('bob', 'admin')).when(change('ann', 'ann', 'viewer')).refused('conflict', /last owner/);
    const state = given(membersDecider, added('bob', 'owner')).state();
    expect(membersDecider.decide(remove('ann', 'ann'), state)).toEqual([removed('ann')]);
    given(membersDecider, added('bob', 'owner'), removed('ann')).when(remove('bob', 'bob')).refused('conflict', /last owner/);
    given(memberGuard, added('bob', 'owner'), removed('ann')).when(authorize('ann', 'projects:read')).refused('not-found');
  });
  it('do not raise themselves or others above what they are', () => {
    const admin = added('bob', 'admin');
    given(membersDecider, admin).when(add('bob', 'eve', 'owner')).refused('forbidden', /Only an owner/);
    given(membersDecider, admin).when(change('bob', 'bob', 'owner')).refused('forbidden', /Only an owner/);
    given(membersDecider, admin, added('eve', 'owner')).when(remove('bob', 'eve')).refused('forbidden', /Only an owner/);
    given(membersDecider, admin, added('eve', 'owner')).when(change('bob', 'ann', 'viewer')).refused('forbidden', /Only an owner/);
    given(membersDecider, admin).when(add('bob', 'eve', 'admin')).then(added('eve', 'admin'));
  });
});
