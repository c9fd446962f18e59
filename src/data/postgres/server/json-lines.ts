import { Writable } from 'node:stream';
import { AirdockError } from '../../../errors.ts';

/**
 * Parses one JSON value a line, as `json_build_object` under `psql -At` writes them. It does not use `readline`, which also
 * breaks lines at U+2028, and PostgreSQL does not escape that. An incomplete last line is dropped: the reader must check that
 * everything arrived.
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
      done(new AirdockError('BACKUP_FAILED', 'psql printed a line that airdock cannot read', { cause }));
    }
  }
}
