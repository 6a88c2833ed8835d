import { z } from 'zod';

/** What a parameter may name. In the OpenAPI document it stands beside the parameter, as `x-resource`. */
export type Resource = 'project' | 'site' | 'operation' | 'backup' | 'token' | 'member' | 'secret';

/** A parameter that names something of somebody's: what the caller may not see answers as if it did not exist. */
export function reference(resource: Resource, description: string) {
  return z.string().min(1).max(200).describe(description).meta({ 'x-resource': resource });
}
