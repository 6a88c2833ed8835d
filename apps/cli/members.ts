import { Option, type Command } from 'commander';
import type { Member } from '#api/member.js';
import { roles } from '#domain/access/rights.js';
import { allPages, apiCommand, withSession, type Session } from './command.js';
import { renderTime } from './table.js';
import type { Io } from './terminal.js';

const examples = `
Examples:
  hostplane project members list shop
  hostplane project members add shop bob --role developer
  hostplane project members change shop bob --role admin
  hostplane project members remove shop bob`;

/** `hostplane project members …`: who belongs to a project, as what. */
export function addMemberCommands(project: Command, io: Io): void {
  const members = project.command('members').description('who belongs to a project, as what').addHelpText('after', examples);
  const role = (): Option => new Option('--role <role>', 'what they are in the project').choices(roles);
  apiCommand(members, 'list <project>', 'list members').action(withSession(io, list));
  apiCommand(members, 'add <project> <member>', 'let somebody in').addOption(role().default('developer')).action(withSession(io, add));
  apiCommand(members, 'change <project> <member>', 'give a member another role').addOption(role().makeOptionMandatory()).action(withSession(io, change));
  apiCommand(members, 'remove <project> <member>', 'remove a member, or leave').action(withSession(io, remove));
}

async function list({ client, terminal }: Session, id: string): Promise<void> {
  const items = await allPages(1000, async (cursor, limit) => (await client.call('listMembers', { params: { id }, query: { cursor, limit } })).body);
  terminal.table({ items }, ['MEMBER', 'ROLE', 'SINCE (UTC)'], items.map(({ member, role, since }) => [member, role, renderTime(since)]), 'No members.');
}

async function add({ client, terminal }: Session, id: string, member: string, { role }: Pick<Member, 'role'>): Promise<void> {
  const { body } = await client.call('addMember', { params: { id }, body: { member, role } });
  terminal.fields(body, fieldsOf(body));
}

async function change({ client, terminal }: Session, id: string, member: string, { role }: Pick<Member, 'role'>): Promise<void> {
  const { body } = await client.call('changeMember', { params: { id, member }, body: { role } });
  terminal.fields(body, fieldsOf(body));
}

async function remove({ client, terminal }: Session, id: string, member: string): Promise<void> {
  const { body } = await client.call('removeMember', { params: { id, member } });
  terminal.fields(body, { Removed: body.member });
}

const fieldsOf = ({ member, role, since }: Member): Record<string, string> => ({ Member: member, Role: role, Since: renderTime(since) });
