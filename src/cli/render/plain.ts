import type { ProgressEvent } from '../../events.ts';
import type { TextSink } from '../context.ts';
import { detailLine, finishedLine, headingLine, plain, warningLine, type Paint } from './lines.ts';
import type { Renderer } from './renderer.ts';

/** For pipes and logs: each line once, when it is finished; no colour. */
export function plainRenderer(out: TextSink): Renderer {
  return {
    listener: (event) => {
      const text = textOf(event, plain);
      if (text !== undefined) out.write(text);
    },
    write: (text) => void out.write(text),
    flush: async () => {},
  };
}

/** The text of an event; undefined for an event that prints no line. */
export function textOf(event: ProgressEvent, paint: Paint): string | undefined {
  switch (event.type) {
    case 'heading':
      return headingLine(event.text, paint);
    case 'note':
      return event.text
        .split('\n')
        .map((line) => `${detailLine(line)}\n`)
        .join('');
    case 'warning':
      return warningLine(event.text, paint);
    case 'step-ended':
      return finishedLine(event, paint);
    case 'step-started':
    case 'progress':
      break;
  }
  return undefined;
}
