import { v5 } from 'uuid';

/** Namespace of every derived id of this project, made once at random. */
const NAMESPACE = 'b5f0c5d4-3c3e-4a57-9d0c-6f6f1a0f9c2e';

/** An id that follows from others: the same parts give the same UUID (version 5, RFC 9562). */
export function deriveId(...parts: readonly (string | number)[]): string {
  return v5(JSON.stringify(parts), NAMESPACE);
}
