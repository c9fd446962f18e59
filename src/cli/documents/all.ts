import { bundleManifest } from '../../bundle/manifest.ts';
import { errorDocument } from './error.ts';
import { inspectDocument } from './inspect.ts';
import { keygenDocument } from './keygen.ts';
import { signDocument } from './sign.ts';
import { verifyDocument } from './verify.ts';

/** Every JSON document of airdock; `node scripts/schemas.ts` publishes them in docs/schemas/. To add one: a line here. */
export const documents = {
  bundle: bundleManifest,
  error: errorDocument,
  inspect: inspectDocument,
  keygen: keygenDocument,
  sign: signDocument,
  verify: verifyDocument,
};
