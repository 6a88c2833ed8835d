import { z } from 'zod';

export const healthPart = z.object({ name: z.string(), ok: z.boolean(), detail: z.string() });

/** ok: everything works. degraded: something is missing, named in `parts`. */
export const health = z.object({
  status: z.enum(['ok', 'degraded']),
  version: z.string(),
  uptimeSeconds: z.int(),
  parts: z.array(healthPart),
});
export type Health = z.output<typeof health>;
