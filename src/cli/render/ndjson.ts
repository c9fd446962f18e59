import type { TextSink } from '../context.ts';
import type { Renderer } from './renderer.ts';

/** The least time between two lines of progress, in milliseconds. */
const interval = 250;

/** With `--json`: each event as one line of JSON. Other text becomes a note, so that every line is JSON. */
export function ndjsonRenderer(out: TextSink, now: () => number): Renderer {
  let lastProgress = -Infinity;
  const line = (event: object): void => void out.write(`${JSON.stringify(event)}\n`);
  return {
    listener: (event) => {
      if (event.type === 'progress') {
        if (now() - lastProgress < interval) return;
        lastProgress = now();
      }
      line(event);
    },
    write: (text) => line({ type: 'note', text: text.trimEnd() }),
    flush: async () => {},
  };
}
