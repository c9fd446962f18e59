import { Writable } from 'node:stream';
import { AirdockError } from '../../../errors.ts';

/**
 * One JSON value a line, as `json_build_object` under `psql -At` writes them. Not `readline`: it also breaks lines at U+2028,
 * which PostgreSQL does not escape. What comes behind the last line is dropped: whoever reads must know when all has come.
 */
export class JsonLines extends Writable {
  readonly #decoder = new TextDecoder();
  readonly #onRow: (row: unknown) => void;
  #rest = '';

  constructor(onRow: (row: unknown) => void) {
    super();
    this.#onRow = onRow;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    try {
      for (const line of lines) if (line !== '') this.#onRow(JSON.parse(line));
      done();
    } catch (cause) {
      done(new AirdockError('BACKUP_FAILED', 'psql answered with something that is not understood', { cause }));
    }
  }
}
