import type { EngineInfo } from '../../../io/docker.ts';
import { scratchBytes } from './disk.ts';
import type { Plan } from '../document.ts';
import type { LoadPlan } from '../../images/load-images.ts';
import { copyNeeds } from '../../site/placed-program.ts';
import { diskLedger, type DiskFacts, type Need } from './disk.ts';
import type { Site } from '../../site/site.ts';
import type { BlobKey } from '../../store/store.ts';

/** Unpacked size of the installer relative to its gzip file, with a margin. */
const unpackedEstimate = 3;

type Needs = {
  site: Site;
  engine: EngineInfo;
  /** What the release requires (`requires.disk`). */
  reserve: number;
  missingBlobs: readonly BlobKey[];
  installer: readonly BlobKey[];
  load: LoadPlan;
  /** Undefined when no database was examined. */
  databaseBytes: number | undefined;
  /** Size of declared volumes, which are part of a backup. */
  volumeBytes: number;
  /** The size that the write-ahead log may reach. */
  walBytes: number;
  /** A migration writes on the live server, at worst every row. */
  writes: boolean;
  /** The migration works on a copy beside the live database. */
  copies: boolean;
  /** The database to put in place: a kept one (a rename, which copies nothing), or a backup. */
  restore: Plan['restore'];
  rehearses: boolean;
  backsUp: boolean;
  /** The database is on another server, whose disks airdock cannot see. */
  databaseElsewhere: boolean;
};

/** What a transaction needs on each file system. */
export async function diskNeeds(needs: Needs): Promise<DiskFacts[]> {
  const { site, engine, missingBlobs, installer, load, databaseBytes = 0 } = needs;
  const directory = site.directory;
  const docker = engine.rootDir;
  // the backup is restored beside the live database; the two may have different sizes
  const restored = needs.restore?.backup ? (needs.restore.bytes ?? databaseBytes) : 0;
  const written = Math.max(restored, needs.writes ? databaseBytes : 0);
  return diskLedger([
    { path: directory, need: { what: 'bundle', bytes: sum(missingBlobs) } },
    { path: directory, need: { what: 'installer', bytes: unpackedEstimate * sum(installer) + (await copyNeeds(site)) } },
    { path: directory, need: { what: 'backup', bytes: needs.backsUp ? databaseBytes + needs.volumeBytes : 0 } },
    { path: directory, need: { what: 'reserve', bytes: needs.reserve } },
    { path: docker, need: secondDatabase(needs) },
    { path: docker, need: { what: 'restored backup', bytes: needs.databaseElsewhere ? 0 : restored } },
    { path: docker, need: { what: 'WAL', bytes: needs.databaseElsewhere ? 0 : Math.min(written, needs.walBytes) } },
    // the classic store writes the tar to disk before it unpacks it
    { path: docker, need: { what: 'images', bytes: load.uncompressedBytes + load.bytes } },
  ]);
}

/** Rehearsal and copy never exist together: the throwaway server is removed before the copy is made. */
function secondDatabase({ databaseBytes, rehearses, copies, databaseElsewhere }: Needs): Need {
  const rehearsal = databaseBytes !== undefined && rehearses ? scratchBytes(databaseBytes) : 0;
  const copy = databaseBytes !== undefined && copies && !databaseElsewhere ? databaseBytes : 0;
  if (rehearsal === 0 || copy === 0) return { what: rehearsal === 0 ? 'copy' : 'rehearsal', bytes: rehearsal + copy };
  return { what: 'rehearsal, then copy', bytes: Math.max(rehearsal, copy) };
}

function sum(blobs: readonly BlobKey[]): number {
  return blobs.reduce((total, blob) => total + blob.size, 0);
}
