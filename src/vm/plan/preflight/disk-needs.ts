import type { EngineInfo } from '../../../io/docker.ts';
import { scratchBytes } from './disk.ts';
import type { Plan } from '../document.ts';
import type { LoadPlan } from '../../images/load-images.ts';
import { copyNeeds } from '../../site/placed-program.ts';
import { diskLedger, type DiskFacts, type Need } from './disk.ts';
import type { Site } from '../../site/site.ts';
import type { BlobKey } from '../../store/store.ts';

/** What gzip makes of the installer, with room. */
const unpackedEstimate = 3;

type Needs = {
  site: Site;
  engine: EngineInfo;
  /** What the release asks for itself. */
  reserve: number;
  missingBlobs: readonly BlobKey[];
  installer: readonly BlobKey[];
  load: LoadPlan;
  /** Undefined where no database was looked at. */
  databaseBytes: number | undefined;
  /** Of declared volumes, which a backup takes along. */
  volumeBytes: number;
  /** What the write-ahead log may grow to. */
  walBytes: number;
  /** A migration writes on the live server: at worst every row anew. */
  writes: boolean;
  /** The migration works on a copy beside the live one. */
  copies: boolean;
  /** The database that comes in: a kept one by a rename, which copies nothing, or a backup. */
  restore: Plan['restore'];
  rehearses: boolean;
  backsUp: boolean;
  /** On another machine, whose disks are not seen from here. */
  databaseElsewhere: boolean;
};

/** Where each byte of a transaction goes, by file system. */
export async function diskNeeds(needs: Needs): Promise<DiskFacts[]> {
  const { site, engine, missingBlobs, installer, load, databaseBytes = 0 } = needs;
  const here = site.directory;
  const docker = engine.rootDir;
  // the live database stays while a backup is restored beside it, and says nothing of the backup's size
  const restored = needs.restore?.backup ? (needs.restore.bytes ?? databaseBytes) : 0;
  const written = Math.max(restored, needs.writes ? databaseBytes : 0);
  return diskLedger([
    { path: here, need: { what: 'bundle', bytes: sum(missingBlobs) } },
    { path: here, need: { what: 'installer', bytes: unpackedEstimate * sum(installer) + (await copyNeeds(site)) } },
    { path: here, need: { what: 'backup', bytes: needs.backsUp ? databaseBytes + needs.volumeBytes : 0 } },
    { path: here, need: { what: 'reserve', bytes: needs.reserve } },
    { path: docker, need: secondDatabase(needs) },
    { path: docker, need: { what: 'restored backup', bytes: needs.databaseElsewhere ? 0 : restored } },
    { path: docker, need: { what: 'WAL', bytes: needs.databaseElsewhere ? 0 : Math.min(written, needs.walBytes) } },
    // the classic store spools the tar before it unpacks it
    { path: docker, need: { what: 'images', bytes: load.uncompressedBytes + load.bytes } },
  ]);
}

/** Rehearsal and copy are not there at once: the throwaway server is gone when the copy is made. */
function secondDatabase({ databaseBytes, rehearses, copies, databaseElsewhere }: Needs): Need {
  const rehearsal = databaseBytes !== undefined && rehearses ? scratchBytes(databaseBytes) : 0;
  const copy = databaseBytes !== undefined && copies && !databaseElsewhere ? databaseBytes : 0;
  if (rehearsal === 0 || copy === 0) return { what: rehearsal === 0 ? 'copy' : 'rehearsal', bytes: rehearsal + copy };
  return { what: 'rehearsal, then copy', bytes: Math.max(rehearsal, copy) };
}

function sum(blobs: readonly BlobKey[]): number {
  return blobs.reduce((total, blob) => total + blob.size, 0);
}
