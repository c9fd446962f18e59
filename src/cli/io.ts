import type { openCompose } from '../io/compose.ts';
import type { openToolbox } from '../io/toolbox.ts';
import type { openDocker } from '../io/docker.ts';
import type { resolveEndpoint } from '../io/endpoint.ts';
import type { openHelmReleases } from '../io/helm-releases.ts';
import type { openKubectl } from '../io/kubectl.ts';
import type { openHelm } from '../io/helm.ts';
import type { connect } from '../io/postgres.ts';
import type { run } from '../io/process.ts';
import type { openSystemd } from '../io/systemd.ts';

/** What runs programs of this machine: all that a build without an engine needs. It takes 40 MB less memory than `Io`. */
export type Tools = Pick<Io, 'run' | 'openHelm'>;

/** What `io/` exports, as commands get it: `process-runtime.ts` gives the real functions, tests give their own. */
export type Io = {
  run: typeof run;
  resolveEndpoint: typeof resolveEndpoint;
  openDocker: typeof openDocker;
  openCompose: typeof openCompose;
  openToolbox: typeof openToolbox;
  openSystemd: typeof openSystemd;
  openHelm: typeof openHelm;
  openHelmReleases: typeof openHelmReleases;
  openKubectl: typeof openKubectl;
  connect: typeof connect;
};
