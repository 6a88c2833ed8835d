/** Every status that a site can have (L2), in the order in which a site usually passes them. */
export const siteStatuses = [
  'CREATED', 'PROVISIONING', 'ACTIVE',
  'DOMAIN_PENDING', 'DOMAIN_VALIDATING', 'DOMAIN_ROUTING', 'DOMAIN_ACTIVE', 'DOMAIN_REMOVING',
  'DESTROYING', 'DESTROYED', 'FAILED',
] as const;

export type SiteStatus = (typeof siteStatuses)[number];
export type SiteKind = 'wordpress' | 'static' | 'app';

/** The one table of allowed transitions. What is not in it cannot happen. */
export const siteTransitions: Readonly<Record<SiteStatus, readonly SiteStatus[]>> = {
  CREATED: ['PROVISIONING', 'FAILED'],
  PROVISIONING: ['ACTIVE', 'FAILED'],
  ACTIVE: ['DOMAIN_PENDING', 'DESTROYING'],
  DOMAIN_PENDING: ['DOMAIN_VALIDATING', 'DOMAIN_REMOVING', 'DOMAIN_ACTIVE', 'ACTIVE', 'DESTROYING'],
  DOMAIN_VALIDATING: ['DOMAIN_ROUTING', 'DOMAIN_PENDING', 'DOMAIN_REMOVING', 'DOMAIN_ACTIVE', 'ACTIVE', 'DESTROYING'],
  DOMAIN_ROUTING: ['DOMAIN_ACTIVE', 'DOMAIN_PENDING', 'DOMAIN_REMOVING', 'ACTIVE', 'DESTROYING'],
  DOMAIN_ACTIVE: ['DOMAIN_PENDING', 'DOMAIN_REMOVING', 'DESTROYING'],
  DOMAIN_REMOVING: ['ACTIVE', 'DOMAIN_ACTIVE', 'DOMAIN_PENDING', 'DESTROYING'],
  DESTROYING: ['DESTROYED', 'FAILED'],
  DESTROYED: [],
  FAILED: ['PROVISIONING', 'DESTROYING'],
};

export const canMove = (from: SiteStatus, to: SiteStatus): boolean => siteTransitions[from].includes(to);

/** Nothing can follow. */
export const isTerminal = (status: SiteStatus): boolean => siteTransitions[status].length === 0;

/** The site serves, so a custom domain may be attached. */
export const allowsCustomDomain = (status: SiteStatus): boolean => status === 'ACTIVE' || status.startsWith('DOMAIN_');

export const allowsDestroy = (status: SiteStatus): boolean => canMove(status, 'DESTROYING');

/** The site has been put live and its workload is meant to be there. */
export const isLive = allowsCustomDomain;
