import type { Listener } from '../../events.ts';
import type { Compose, ComposeOptions } from '../../io/compose.ts';
import type { Docker } from '../../io/docker.ts';
import type { Connect } from '../../io/postgres.ts';
import type { Systemd } from '../../io/systemd.ts';
import type { ToolboxOptions } from '../../io/toolbox.ts';

/** The running airdock. */
export type Program = {
  version: string;
  /** Where its executable can be read; undefined when it runs from a checkout. */
  executable: string | undefined;
  /** What another executable says of itself; undefined when it does not run here. Throws when that is not known. */
  ask(path: string): Promise<{ version: string; stateSchema: number } | undefined>;
};

/** The outside world, as the VM side uses it. `cli/main.ts` makes the real one. */
export type Host = {
  resolveEndpoint(): Promise<string>;
  openDocker(endpoint: string): Docker;
  openCompose(options: Omit<ComposeOptions, 'run'>): Compose;
  openToolbox(options: Omit<ToolboxOptions, 'run'>): Pick<Compose, 'exec'>;
  systemd: Systemd;
  connect: Connect;
  fetch: typeof fetch;
  clock: () => Date;
  /** Who does it, for the history: the login behind sudo when there is one. */
  operator: string;
  program: Program;
  listener: Listener;
  /** SIGINT, SIGTERM. */
  signal: AbortSignal;
};
