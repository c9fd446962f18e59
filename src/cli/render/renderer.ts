import type { Listener } from '../../events.ts';

/** Draws events on standard error. */
export type Renderer = {
  listener: Listener;
  /** Other text, in its place between the events. */
  write(text: string): void;
  /** Resolves when everything so far is on the screen, and nothing is drawn in place any more. */
  flush(): Promise<void>;
};
