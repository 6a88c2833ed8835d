import { z } from 'zod';

/** What a parameter may name. In the OpenAPI document it stands beside the parameter, as `x-resource`. */
export type Resource = 'project' | 'site' | 'operation' | 'backup' | 'token' | 'member' | 'domain' | 'secret';

/** A parameter that names something of somebody's: what the caller may not see answers as if it did not exist. */
export function reference(resource: Resource, description: string, longest = 200) {
  return z.string().min(1).max(longest).describe(description).meta({ 'x-resource': resource });
}
