import { DescribedApi, describeWith, readDescription, type Answered, type Asked, type Operation } from './described-api.js';

const FILE = 'coolify.trim.json';

/** Answers that the controllers give otherwise than they are described: the stand-in answers like the controllers. */
const DESCRIBED_WRONGLY = new Set(['list-deployments-by-app-uuid']);

/** `describe` for what is checked against Coolify's description. */
export const describeWithCoolify = (name: string, tests: () => void): void => describeWith(FILE, name, tests);

export function coolifyApi(operations: Readonly<Record<string, Operation>>, undescribed: (asked: Asked) => Answered): DescribedApi {
  return new DescribedApi({ vendor: 'Coolify', definition, apiRoot: '/api/v1', operations, undescribed, invalid: { status: 400, body: { message: 'Invalid request.' } }, describedWrongly: DESCRIBED_WRONGLY });
}

/** The description with what its own BuildPackTypes have besides: an application of an image is a dockerimage. And no id of Coolify's is a UUID, though one path is described so. */
const definition = () => readDescription(FILE, (key, value) => {
  if (key === 'format' && value === 'uuid') return undefined;
  const kinds = key === 'build_pack' ? (value as { enum?: string[] }).enum : undefined;
  return kinds ? { ...(value as object), enum: [...kinds, 'dockerimage'] } : value;
});
