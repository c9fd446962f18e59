// kubectl and helm for the cluster suite: executables on PATH that hand each call to this process. It asks the real ones, and keeps
// what they said where a recording is made; or it answers with a recording, where there is no cluster.
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { readRecording, writeRecording } from './recording-file.ts';
import { Replay, Words, type Answer, type Asked, type Call, type Tool } from './recording.ts';
import { receive, type Received, type Reply } from './stand-in-connection.ts';

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
    const client = join(import.meta.dirname, 'stand-in-client.pl');
    for (const tool of ['kubectl', 'helm']) {
      const file = join(options.folder, tool);
      await writeFile(file, `#!/usr/bin/perl\nour ($tool, $path) = ('${tool}', '${socket}');\ndo '${client}' or die $@;\n`);
      await chmod(file, 0o755);
    }
    if (options.mode === 'replay') standIn.#replay = new Replay(await readRecording(options.recording), standIn.#words);
    standIn.#server = createServer((connection) => {
      // whoever asked was ended, or does not listen any more
      const work = standIn.#take(connection).catch(() => {});
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

  async #take(connection: Socket): Promise<void> {
    const call = await receive(connection);
    if (this.#replay) await this.#playBack(this.#replay, call);
    else await this.#askReal(call);
    connection.end();
  }

  async #playBack(replay: Replay, { input, reply, ...call }: Received): Promise<void> {
    const parts: Buffer[] = [];
    let session: ReturnType<Replay['answerBefore']>;
    for await (const part of input as AsyncIterable<Buffer>) {
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

  async #askReal({ env, input, reply, ...call }: Received): Promise<void> {
    const { tool, args } = call;
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
