import type { Listener } from '../events.ts';

type Host = { listener: Listener; now(): number };

/** Work that is drawn as a step: its summary when it is done, its failure when it throws. */
export class Steps {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  async run<T>(step: string, work: () => Promise<{ result: T; summary: string }>): Promise<T> {
    const { listener } = this.#host;
    const start = this.#host.now();
    listener({ type: 'step-started', step });
    try {
      const { result, summary } = await work();
      listener({ type: 'step-ended', step, outcome: 'done', summary, milliseconds: this.#host.now() - start });
      return result;
    } catch (error) {
      listener({ type: 'step-ended', step, outcome: 'failed', summary: '', milliseconds: this.#host.now() - start });
      throw error;
    }
  }
}
