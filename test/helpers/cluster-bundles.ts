import { bundles } from './releases.ts';

/** Global set-up of the cluster suite, whose files may run side by side: what they would build, each for itself, at once. */
export default async function setup(): Promise<void> {
  await bundles('0.2.4', '0.3.0', '0.3.1', '0.4.0');
}
