import { DefaultRenderer, Listr, ListrLogger, ProcessOutput, type ListrDefaultRendererLogLevels } from 'listr2';
import type { ProgressEvent } from '../../events.ts';
import { colored, plain, runningText } from './lines.ts';
import { textOf } from './plain.ts';
import type { Renderer } from './renderer.ts';
import { progressText } from './progress.ts';

/** The least time between two redraws, in milliseconds: the work may report every chunk. */
const redrawInterval = 100;

type Running = { step: string; since: number; show(text: string): void; stop(): Promise<void> };

/**
 * On a terminal listr2 draws the step that runs; when it is finished, the same line is printed as in a log. Events are
 * drawn one after the other: listr2 needs a moment to begin and to end.
 */
export function terminalRenderer(out: NodeJS.WriteStream, now: () => number, useColor: boolean): Renderer {
  const paint = useColor ? colored : plain;
  let queue = Promise.resolve();
  let running: Running | undefined;
  let lastText = '';
  let lastShown = -Infinity;

  const draw = async (event: ProgressEvent): Promise<void> => {
    if (event.type === 'step-started') {
      running ??= startStep(event.step, out, now());
      return;
    }
    const text = textOf(event, paint);
    if (text === undefined) return;
    const interrupted = running;
    await running?.stop();
    running = undefined;
    out.write(text);
    if (interrupted && !(event.type === 'step-ended' && event.step === interrupted.step)) {
      running = startStep(interrupted.step, out, interrupted.since);
      running.show(lastText);
    }
  };
  const enqueue = (work: () => Promise<void>): void => {
    // A terminal that went away must not end the work.
    queue = queue.then(work).catch(() => {});
  };
  return {
    listener: (event) => {
      if (event.type !== 'progress') {
        if (event.type === 'step-started') lastText = '';
        enqueue(() => draw(event));
      } else if (running?.step === event.step) {
        const time = now();
        if (time - lastShown < redrawInterval) return;
        lastShown = time;
        lastText = progressText(event.bytes, event.total, time - running.since);
        running.show(lastText);
      }
    },
    write: (text) =>
      enqueue(async () => {
        const interrupted = running;
        await running?.stop();
        out.write(text);
        running = interrupted && startStep(interrupted.step, out, interrupted.since);
      }),
    async flush() {
      await queue;
      await running?.stop();
      running = undefined;
    },
  };
}

/** Standard error is the terminal; listr2 would ask standard output, which may be a file. */
class OnStandardError extends DefaultRenderer {
  static override nonTTY = true;
}

function startStep(step: string, out: NodeJS.WriteStream, since: number): Running {
  const ended = Promise.withResolvers<void>();
  let show = (_text: string): void => {};
  const list = new Listr(
    [
      {
        title: runningText(step, ''),
        task: (_context, task) => {
          show = (text) => (task.title = runningText(step, text));
          return ended.promise;
        },
      },
    ],
    {
      // Undo and signals belong to the runner of the transaction.
      registerSignalListeners: false,
      renderer: OnStandardError,
      rendererOptions: {
        clearOutput: true,
        formatOutput: 'truncate',
        logger: new ListrLogger<ListrDefaultRendererLogLevels>({ processOutput: new ProcessOutput(out, out), useIcons: true }),
      },
    },
  );
  const drawn = list.run().catch(() => {});
  return {
    step,
    since,
    show: (text) => show(text),
    async stop() {
      ended.resolve();
      await drawn;
    },
  };
}
