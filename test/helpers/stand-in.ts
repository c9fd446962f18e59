// kubectl and helm for the cluster suite: executables on PATH that hand each call to this process. It asks the real ones, and keeps
// what they said where a recording is made; or it answers with a recording, where there is no cluster.
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { execa } from 'execa';
import { readRecording, writeRecording } from './recording-file.ts';
import { Replay, Words, type Answer, type Asked, type Call, type Tool } from './recording.ts';

/** `real`: a cluster answers. `record`: and what it said is kept. `replay`: there is none. */
export type Mode = 'real' | 'record' | 'replay';

/**
 * How whoever makes a call ends: SIGKILL as the call begins, which goes on (`caller`), or ends so some seconds later (`both`); or SIGINT
 * some seconds after it began, and the caller ends the call (`asked`).
 */
export type Kill = { when: (asked: Asked) => boolean; who: 'caller' | 'both' | 'asked' };

type Options = {
  mode: Mode;
  /** Where the executables go. */
  folder: string;
  /** The real ones. */
  tools: Record<Tool, string>;
  recording: string;
  words: { registry: string; folder: string };
};

/** Helm waits for a hook or for pods by then. */
const killedAfter = 3000;

export class StandIn {
  readonly #options: Options;
  readonly #words: Words;
  /** In the order in which they began; undefined for one that was ended from outside. */
  readonly #calls: (Call | undefined)[] = [];
  #scene = 0;
  #replay: Replay | undefined;
  #server: Server | undefined;
  #kill: (Kill & { happened: boolean }) | undefined;
  readonly #atWork = new Set<Promise<void>>();

  private constructor(options: Options) {
    this.#options = options;
    this.#words = new Words(options.words);
  }

  static async start(options: Options): Promise<StandIn> {
    const standIn = new StandIn(options);
    await mkdir(options.folder, { recursive: true });
    const socket = join(options.folder, 'socket');
    await rm(socket, { force: true });
    const client = JSON.stringify(join(import.meta.dirname, 'stand-in-client.cjs'));
    for (const tool of ['kubectl', 'helm']) {
      const file = join(options.folder, tool);
      await writeFile(file, `#!${process.execPath}\nrequire(${client})('${tool}', ${JSON.stringify(socket)});\n`);
      await chmod(file, 0o755);
    }
    if (options.mode === 'replay') standIn.#replay = new Replay(await readRecording(options.recording), standIn.#words);
    standIn.#server = createServer((request, response) => {
      // whoever asked was ended, or does not listen any more
      const work = standIn.#take(request, response).catch(() => {});
      standIn.#atWork.add(work);
      void work.finally(() => standIn.#atWork.delete(work));
    });
    await new Promise<void>((resolve) => standIn.#server?.listen(socket, resolve));
    return standIn;
  }

  /** What did not fit the recording so far. */
  get problems(): readonly string[] {
    return this.#replay?.problems ?? [];
  }

  /** A run of airdock begins. */
  scene(): void {
    this.#scene += 1;
    this.#replay?.nextScene();
  }

  /** The first call of that kind is the last thing that its caller does. */
  async killing<T>(when: Kill['when'], who: Kill['who'], work: () => Promise<T>): Promise<T> {
    const kill = { when, who, happened: false };
    this.#kill = kill;
    const result = await work();
    this.#kill = undefined;
    if (!kill.happened) throw new Error('nobody made such a call');
    await Promise.all(this.#atWork);
    return result;
  }

  /** Writes what was recorded. @throws what did not fit the recording */
  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server?.close(resolve));
    if (this.#options.mode === 'record')
      await writeRecording(
        this.#options.recording,
        this.#calls.filter((call) => call !== undefined),
      );
    this.#replay?.finish();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = JSON.parse(Buffer.from(request.url?.slice(1) ?? '', 'base64url').toString()) as Omit<Asked, 'input'> & {
      env: Record<string, string>;
    };
    const reply = new Reply(response);
    if (this.#replay) await this.#playBack(this.#replay, call, request, reply);
    else await this.#askReal(call, request, reply);
    response.end();
  }

  async #playBack(replay: Replay, call: Omit<Asked, 'input'>, input: AsyncIterable<Buffer>, reply: Reply): Promise<void> {
    const parts: Buffer[] = [];
    let session: ReturnType<Replay['answerBefore']>;
    for await (const part of input) {
      parts.push(part);
      if (session) continue;
      session = replay.answerBefore({ ...call, input: Buffer.concat(parts) });
      if (session) reply.out(session.stdout);
    }
    const asked = { ...call, input: Buffer.concat(parts) };
    const kill = this.#killFor(asked, reply);
    const { stdout, stderr, exitCode } = session?.end(asked) ?? replay.answer(asked);
    // it would try again for minutes what the recording does not have
    if (replay.problems.length > 0) reply.kill();
    if (kill?.who === 'asked') return reply.closed();
    reply.out(stdout);
    reply.err(stderr);
    return reply.exit(exitCode);
  }

  async #askReal(
    call: Omit<Asked, 'input'> & { env: Record<string, string> },
    input: IncomingMessage,
    reply: Reply,
  ): Promise<void> {
    const { tool, args, env } = call;
    const scene = this.#scene;
    const place = this.#calls.push(undefined) - 1;
    const child = execa(this.#options.tools[tool], args, {
      env,
      extendEnv: false,
      buffer: false,
      encoding: 'buffer',
      reject: false,
      stdin: 'pipe',
    });
    const [given, out, err]: [Buffer[], Buffer[], Buffer[]] = [[], [], []];
    let kill: Kill | undefined;
    let early: number | undefined;
    input.on('data', (part: Buffer) => {
      given.push(part);
      child.stdin.write(part);
    });
    child.stdin.on('error', () => {});
    input.on('end', () => {
      kill = this.#killFor({ ...call, input: Buffer.concat(given) }, reply);
      if (kill?.who === 'both') setTimeout(() => child.kill('SIGKILL'), killedAfter);
      if (kill?.who === 'asked') void reply.closed().then(() => child.kill());
      child.stdin.end();
    });
    child.stdout.on('data', (part: Buffer) => {
      if (!input.readableEnded && given.length > 0)
        early ??= this.#words.asked({ ...call, input: Buffer.concat(given) }).input.length;
      out.push(part);
      reply.out(part);
    });
    child.stderr.on('data', (part: Buffer) => {
      err.push(part);
      reply.err(part);
    });
    let gone = false;
    input.on('close', () => {
      gone = !input.readableEnded && !kill;
      if (gone) child.kill();
    });
    const exitCode = (await child).exitCode ?? 137;
    reply.exit(exitCode);
    if (this.#options.mode !== 'record' || gone) return;
    const asked = { ...call, input: Buffer.concat(given) };
    const answer = { exitCode, stdout: Buffer.concat(out), stderr: Buffer.concat(err) };
    const began = early === undefined ? {} : { early };
    this.#calls[place] = { scene, ...this.#words.asked(asked), ...this.#kept(answer), ...began };
  }

  /** Ends the caller, if this is the call. */
  #killFor(asked: Asked, reply: Reply): Kill | undefined {
    if (!this.#kill || this.#kill.happened || !this.#kill.when(asked)) return undefined;
    this.#kill.happened = true;
    if (this.#kill.who !== 'asked') reply.kill();
    else setTimeout(reply.interrupt, this.#replay ? 0 : killedAfter);
    return this.#kill;
  }

  #kept({ exitCode, stdout, stderr }: Answer): Pick<Call, 'exitCode' | 'stdout' | 'stderr'> {
    return { exitCode, stdout: this.#words.kept(stdout), stderr: this.#words.kept(stderr) };
  }
}

/** What stand-in-client.cjs reads. */
class Reply {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('error', () => {});
  }

  out = (bytes: Buffer): void => this.#line('o', bytes);
  err = (bytes: Buffer): void => this.#line('e', bytes);
  exit = (code: number): void => this.#line('x', Buffer.from(String(code)));
  kill = (): void => this.#line('k', Buffer.alloc(0));
  interrupt = (): void => this.#line('i', Buffer.alloc(0));
  /** Whoever asked is gone. */
  closed = (): Promise<void> => new Promise((resolve) => void this.#response.on('close', resolve));

  #line(letter: string, bytes: Buffer): void {
    this.#response.write(`${letter}${bytes.toString('base64')}\n`);
  }
}
