import type { BundleManifest } from '../bundle/manifest.ts';
import { shortDigest } from '../digest.ts';
import type { ResolvedImage } from '../images/collect.ts';
import type { CacheStatistics } from './cache.ts';
import type { ReleaseImage } from './complete.ts';
import type { ReleaseFiles } from './release-files.ts';

/** The summaries and warnings that a build prints while it runs. */

export function imagesSummary(total: number, state: { unchanged: number; added: number }, updated: boolean): string {
  const parts = [`${total} resolved`];
  if (updated) parts.push('the lock file is rewritten');
  else {
    if (state.unchanged > 0) parts.push(`${state.unchanged} in the lock file unchanged`);
    if (state.added > 0) parts.push(state.unchanged > 0 ? `${state.added} new` : `${state.added} new to the lock file`);
  }
  return parts.join(', ');
}

/** One line an image: reference, digest, who uses it. */
export function imageLines(resolved: readonly ResolvedImage[], wanted: readonly ReleaseImage[]): string {
  const width = Math.max(...resolved.map(({ name }) => name.canonical.length));
  return resolved
    .map(({ name, indexDigest, manifest, source }, index) => {
      const digest = indexDigest ?? manifest?.digest;
      const origin = digest === undefined ? `from ${source.label(name)}` : shortDigest(digest);
      return `  ${name.canonical.padEnd(width)}  ${origin}  ${wanted[index]?.usedBy.join(', ') ?? ''}`;
    })
    .join('\n');
}

/** An index digest is not in the bundle: an image pinned to an index gets a name of its own on the VM (ADR 15). */
export function indexPins(resolved: readonly ResolvedImage[]): string[] {
  return resolved
    .filter(({ name, indexDigest }) => indexDigest !== undefined && name.digest === indexDigest)
    .map(
      ({ name }) =>
        `${name.canonical} is pinned to the digest of an index; the bundle has only the manifest of one platform, so the image gets another name on the VM`,
    );
}

export function completeSummary({ compose, chart }: ReleaseFiles): string {
  const profiles = compose.profiles.length === 0 ? '' : ` (${count(compose.profiles.length, 'profile')})`;
  const ofChart = chart && chart.helm !== undefined ? ` and of the chart (${count(chart.rendered, 'values file')})` : '';
  return `every image of the compose file${profiles}${ofChart} is in the bundle`;
}

export function blobsSummary(layers: number, bytes: number, statistics: CacheStatistics, milliseconds: number): string {
  const { fromCache, fetchedBytes } = statistics;
  const fetched = fetchedBytes === 0 ? '' : `, ${megabytes(fetchedBytes)} fetched in ${(milliseconds / 1000).toFixed(1)} s`;
  return `${count(layers, 'blob')}, ${megabytes(bytes)}, ${fromCache} from the cache${fetched}`;
}

export function migrationSummary({ migrations, version }: BundleManifest): string {
  const own = migrations.find((entry) => entry.version === version);
  return own ? `${own.class}: ${own.summary}` : 'none';
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
