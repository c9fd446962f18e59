import path from 'node:path';
import { readIfExists } from '../../io/files.ts';
import { servicesOf } from './raw-yaml.ts';
import { parseRaw } from './raw-yaml.ts';

/** Services that keep the operator's image since the adoption, instead of the release's. */
export async function pinnedServices(directory: string): Promise<Set<string>> {
  const bytes = await readIfExists(path.join(directory, 'compose.adopted.yaml'));
  if (!bytes) return new Set();
  const services = [...servicesOf(parseRaw(bytes, 'compose.adopted.yaml'))];
  return new Set(services.flatMap(([name, service]) => (service.kind === 'map' && service.entries.has('image') ? [name] : [])));
}
