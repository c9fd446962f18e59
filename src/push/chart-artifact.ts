import { Parser } from 'tar';
import { parse } from 'yaml';
import { canonicalJson } from '../bundle/canonical.ts';
import { digestOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { ociManifest } from '../images/media-types.ts';

/** A chart as an OCI artifact (helm.sh/docs/topics/registries, "Helm chart manifest"): `helm pull oci://…` finds it. */
export type ChartArtifact = {
  name: string;
  version: string;
  manifest: { bytes: Buffer; digest: Digest; mediaType: string };
  /** The configuration, then the archive. */
  blobs: { digest: Digest; bytes: Buffer }[];
};

/** Makes the OCI artifact of a chart archive; equal archives give equal bytes. @throws CHART_INVALID */
export async function chartArtifact(archive: Buffer): Promise<ChartArtifact> {
  const metadata = await chartMetadata(archive);
  const { name, version } = metadata;
  if (typeof name !== 'string' || typeof version !== 'string') throw invalid('Chart.yaml has no name or no version');
  const config = canonicalJson(metadata);
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const manifest = canonicalJson({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: describe('application/vnd.cncf.helm.config.v1+json', config),
    layers: [describe('application/vnd.cncf.helm.chart.content.v1.tar+gzip', archive)],
    annotations: { 'org.opencontainers.image.title': name, 'org.opencontainers.image.version': version },
  });
  return {
    name,
    version,
    manifest: { bytes: manifest, digest: digestOf(manifest), mediaType: ociManifest },
    blobs: [config, archive].map((bytes) => ({ digest: digestOf(bytes), bytes })),
  };
}

async function chartMetadata(archive: Buffer): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  const parser = new Parser({
    strict: true,
    filter: (path) => /^[^/]+\/Chart\.yaml$/.test(path),
    onReadEntry: (entry) => void entry.on('data', (chunk) => chunks.push(chunk)),
  });
  await new Promise<void>((resolve, reject) => {
    parser.on('end', resolve).on('error', reject);
    parser.end(archive);
  }).catch((error: unknown) => {
    throw invalid('it is not a tar archive', error);
  });
  const found: unknown = parse(Buffer.concat(chunks).toString('utf8'));
  if (typeof found === 'object' && found !== null) return found as Record<string, unknown>;
  throw invalid('it has no Chart.yaml');
}

function invalid(why: string, cause?: unknown): AirdockError {
  return new AirdockError('CHART_INVALID', `the chart of this release cannot be pushed: ${why}`, {
    hint: 'Push only the images with --no-chart, and tell the vendor.',
    cause,
  });
}
