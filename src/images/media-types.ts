/** Media types of the OCI image-spec (media-types.md) and of Docker's image manifest v2.2. */

export const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
export const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
export const ociIndex = 'application/vnd.oci.image.index.v1+json';
export const ociConfig = 'application/vnd.oci.image.config.v1+json';
export const ociGzipLayer = 'application/vnd.oci.image.layer.v1.tar+gzip';

export const acceptedManifests = [ociManifest, ociIndex, dockerManifest, dockerList].join(', ');

export type LayerCompression = 'gzip' | 'none' | 'zstd' | 'foreign' | 'unknown';

export function compressionOf(mediaType: string): LayerCompression {
  if (/nondistributable|foreign/.test(mediaType)) return 'foreign';
  switch (mediaType) {
    case 'application/vnd.docker.image.rootfs.diff.tar.gzip':
    case ociGzipLayer:
      return 'gzip';
    case 'application/vnd.docker.image.rootfs.diff.tar':
    case 'application/vnd.oci.image.layer.v1.tar':
      return 'none';
    case 'application/vnd.docker.image.rootfs.diff.tar.zstd':
    case 'application/vnd.oci.image.layer.v1.tar+zstd':
      return 'zstd';
    default:
      return 'unknown';
  }
}
