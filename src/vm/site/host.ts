import type { Listener } from '../../events.ts';
import type { Compose, ComposeOptions } from '../../io/compose.ts';
import type { Docker } from '../../io/docker.ts';
import type { Connect } from '../../io/postgres.ts';
import type { Systemd } from '../../io/systemd.ts';
import type { ToolboxOptions } from '../../io/toolbox.ts';

/** The running airdock. */
export type Program = {
  version: string;
  /** Path of its executable; undefined when it runs from a checkout. */
  executable: string | undefined;
  /** The versions of another executable; undefined when it does not run here. Throws when it does not answer in time. */
  versionsOf(path: string): Promise<{ version: string; stateSchema: number } | undefined>;
};

/** The effects on the outside that the VM side uses. `cli/main.ts` makes the real ones. */
export type Host = {
  resolveEndpoint(): Promise<string>;
  openDocker(endpoint: string): Docker;
  openCompose(options: Omit<ComposeOptions, 'run'>): Compose;
  openToolbox(options: Omit<ToolboxOptions, 'run'>): Pick<Compose, 'exec'>;
  systemd: Systemd;
  connect: Connect;
  fetch: typeof fetch;
  clock: () => Date;
  /** The user's name, for the history: under sudo, the login name. */
  operator: string;
  program: Program;
  listener: Listener;
  /** SIGINT, SIGTERM. */
  signal: AbortSignal;
};
