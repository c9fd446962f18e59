// One call of stand-in-client.pl, on its way to the test and back: lines, each a letter and hex.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';
import type { Asked } from './recording.ts';

/** `input` ends with the caller's stdin, and is destroyed when the caller goes away before. */
export type Received = Omit<Asked, 'input'> & { env: Record<string, string>; input: Readable; reply: Reply };

/** @throws when the caller goes away before it has asked anything */
export async function receive(socket: Socket): Promise<Received> {
  const input = new PassThrough();
  socket.on('error', () => {});
  socket.on('close', () => {
    if (!input.writableEnded) input.destroy();
  });
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // it hands on those of the socket
  const asked = once(lines, 'line') as Promise<[string]>;
  lines.on('line', (line) => {
    if (line.startsWith('i')) input.write(Buffer.from(line.slice(1), 'hex'));
    if (line.startsWith('z')) input.end();
  });
  const [line] = await Promise.race([asked, once(socket, 'close').then(() => [''])]);
  const [count, tool, ...words] = Buffer.from(line?.slice(1) ?? '', 'hex')
    .toString()
    .split('\0');
  if (tool !== 'kubectl' && tool !== 'helm') throw new Error('nobody asked anything');
  const args = words.slice(0, Number(count));
  const env = words.slice(Number(count)).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]);
  return { tool, args, env: Object.fromEntries(env) as Record<string, string>, input, reply: new Reply(socket) };
}

/** What the client does next. */
export class Reply {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  out = (bytes: Buffer): void => this.#line('o', bytes);
  err = (bytes: Buffer): void => this.#line('e', bytes);
  exit = (code: number): void => this.#line('x', Buffer.from(String(code)));
  /** Its caller, not itself. */
  kill = (): void => this.#line('k');
  interrupt = (): void => this.#line('i');
  /** Whoever asked is gone. */
  closed = async (): Promise<void> => {
    if (!this.#socket.closed) await once(this.#socket, 'close');
  };

  #line(letter: string, bytes?: Buffer): void {
    this.#socket.write(`${letter}${bytes?.toString('hex') ?? ''}\n`);
  }
}
