import { z } from 'zod';

export const dnsFinding = z.object({
  resolver: z.string(),
  type: z.string(),
  name: z.string(),
  values: z.array(z.string()).describe('Empty: there is no such record'),
  error: z.string().optional().describe('Why this resolver gave no answer'),
});
