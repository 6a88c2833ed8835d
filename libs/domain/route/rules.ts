import type { ChangeEdgeRules, EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { MessageOf } from '#contracts/registry.js';
import type { RouteState } from './route.js';

/** How a site's visitors are treated, as its route knows it. */
export interface RulesState {
  /** As they are in the table. */
  readonly current: EdgeRules;
  /** Those that an edge was last seen to follow. */
  readonly followed: EdgeRules;
  /** The change that no edge has answered yet; empty: none. */
  readonly changeId: string;
  /** Operation whose answer tells that the edge follows them: the change's own, or the one that makes the route. Empty: nothing is waited for. */
  readonly awaits: string;
}

const NO_RULES: EdgeRules = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
export const initialRules: RulesState = { current: NO_RULES, followed: NO_RULES, changeId: '', awaits: '' };

/** Records a change, and has the edge follow where the site is live; elsewhere it comes with the route. The same again is no change. */
export function changeRules(route: RouteState, change: ChangeEdgeRules): readonly MessageOf<'EdgeRulesChanged' | 'EnsureEdge'>[] {
  const { siteId, changeId } = change;
  const rules = merged(route.rules.current, change);
  if (isSame(rules, route.rules.current)) return [];
  const changed = { type: 'EdgeRulesChanged', data: { siteId, changeId, rules } } as const;
  return route.status === 'absent' ? [changed] : [changed, { type: 'EnsureEdge', data: { operationId: changeId, siteId, hostId: route.hostId, turn: 0 } }];
}

/** Takes the edge's answer to what was asked of it. What it could not follow is taken back, unless the route itself was what it could not take. */
export function settleRules(route: RouteState, operationId: string, error: string): readonly MessageOf<'EdgeRulesServed' | 'EdgeRulesRefused' | 'EnsureEdge'>[] {
  const { siteId, hostId, rules } = route;
  const { changeId, awaits, followed } = rules;
  if (changeId === '' || awaits !== operationId) return [];
  if (error === '') return [{ type: 'EdgeRulesServed', data: { siteId, changeId } }];
  if (awaits !== changeId) return [];
  return [{ type: 'EdgeRulesRefused', data: { siteId, changeId, error, rules: followed } }, { type: 'EnsureEdge', data: { operationId: changeId, siteId, hostId, turn: 1 } }];
}

/** Folds what happened to the rules; of a new route they are confirmed together with it. */
export function evolveRules(rules: RulesState, event: MessageOf<'EdgeRulesChanged' | 'EdgeRulesServed' | 'EdgeRulesRefused' | 'RouteDefined'>, route: RouteState): RulesState {
  switch (event.type) {
    case 'EdgeRulesChanged': {
      const { changeId, rules: current = NO_RULES } = event.data;
      return { ...rules, current, changeId, awaits: route.status === 'absent' ? '' : changeId };
    }
    case 'EdgeRulesServed':
      return { current: rules.current, followed: rules.current, changeId: '', awaits: '' };
    case 'EdgeRulesRefused':
      return { current: rules.followed, followed: rules.followed, changeId: '', awaits: '' };
    case 'RouteDefined':
      return rules.changeId !== '' && (route.status === 'absent' || rules.awaits !== rules.changeId) ? { ...rules, awaits: event.data.operationId } : rules;
  }
}

function merged(before: EdgeRules, { rules: given = NO_RULES, fields, removedUsers, removedPages }: ChangeEdgeRules): EdgeRules {
  const replaced = { ...before, ...Object.fromEntries(Object.entries(given).filter(([field]) => fields.includes(field))) };
  const users = new Map((fields.includes('users') ? [] : before.users).map((user) => [user.name, user]));
  for (const user of given.users) users.set(user.name, user);
  for (const name of removedUsers) users.delete(name);
  const pages = new Map((fields.includes('errorPages') ? [] : before.errorPages).map((page) => [page.status, page]));
  for (const page of given.errorPages) pages.set(page.status, page);
  for (const status of removedPages) pages.delete(status);
  return { ...replaced, users: [...users.values()], errorPages: [...pages.values()].sort((a, b) => a.status - b.status) };
}

/** Compared as they are recorded, field by field in the order of the proto. */
function isSame(a: EdgeRules, b: EdgeRules): boolean {
  const plain = (rules: EdgeRules): string => JSON.stringify(Object.keys(NO_RULES).map((field) => rules[field as keyof EdgeRules] ?? null));
  return plain(a) === plain(b);
}
