import type { BundleManifest, ImageRecord } from '../bundle/manifest.ts';
import type { Digest } from '../digest.ts';

export type NamedImage = {
  image: ImageRecord;
  /** The name under which the engine gets it and compose.yaml names it. */
  name: string;
  /** `airdock.invalid/…`: the name belongs to someone else here. */
  private: boolean;
};

/** The id that a name has on the engine now; undefined without. */
export type EngineNames = (reference: string) => Promise<string | undefined>;

/** The id that this image has on that store: config digest (classic) or manifest digest (containerd). */
export declare function idOnStore(image: ImageRecord, store: 'classic' | 'containerd'): Digest;

/** True when the reference carries the version: tag equal to it or containing it as a whole word (`0.3.0-alpine`, `v0.3.0`). */
export declare function carriesVersion(reference: string, version: string): boolean;

/** `airdock.invalid/<product>/<name>:<digest12>` of the manifest digest */
export declare function privateName(product: string, reference: string, manifestDigest: Digest): string;

export declare function chooseNames(
  manifest: BundleManifest,
  store: 'classic' | 'containerd',
  engine: EngineNames,
): Promise<NamedImage[]>;

/**
 * compose.yaml with the `image:` of each service whose (interpolated, canonical) reference is in `names` replaced; all other
 * bytes stay. `env` gives the values for `${VERSION}` and the like.
 */
export declare function rewriteCompose(
  composeYaml: string,
  names: readonly NamedImage[],
  env: (key: string) => string | undefined,
): string;
