/** Keys of the streams that make a name unique for its owner. */
export const siteNameKey = (ownerId: string, name: string): string => `${ownerId}:site:${name}`;
export const projectNameKey = (ownerId: string, name: string): string => `${ownerId}:project:${name}`;
