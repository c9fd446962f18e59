import type { Listener } from '../events.ts';
import type { Io, Tools } from './io.ts';
import type { Self } from './self.ts';

export type TextSink = { write(text: string): unknown };

/** Questions to a person. There is one only when standard input and standard error are terminals. */
export type Prompt = {
  /** The line that was typed, without its newline. */
  line(question: string): Promise<string>;
  /** A line that is not shown while it is typed. */
  secret(question: string): Promise<string>;
};

/** What the process gives to the commands: `main.ts` makes the real one, tests make their own. */
export type Runtime = {
  /** Results. */
  readonly stdout: TextSink;
  /** Progress, questions and errors. */
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Paths on the command line are relative to it. */
  readonly cwd: string;
  /** Standard error is a terminal: progress may be drawn in place. */
  readonly isTTY: boolean;
  /** Aborted by SIGINT and SIGTERM. SIGHUP is ignored: a dropped session does not end a transaction. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly prompt?: Prompt | undefined;
  /** The whole standard input, for an option that reads from there. */
  readonly stdin: () => Promise<string>;
  /** The running program. */
  readonly self: Self;
  /** The effects on the outside, imported when a command asks for them. */
  readonly io: () => Promise<Io>;
  readonly tools: () => Promise<Tools>;
};

/** What a command receives. */
export type CliContext = Runtime & {
  /** `--json`: one document on stdout, progress as NDJSON on stderr. */
  readonly json: boolean;
  /** `--debug`: errors come with their stacks. */
  readonly debug: boolean;
  /** Receives the events of the work and draws them. */
  readonly listener: Listener;
  /**
   * The result, printed when the command has ended: the document with `--json` (it carries `schema: "airdock.NAME/1"`),
   * else the text. What is to be read before that (a plan before a question) goes to `stderr`.
   */
  result(document: { schema: string; [member: string]: unknown }, text: string): void;
};

/** Wraps the body of a command for commander's `action`. The body's number, if any, is the exit code. */
export type Act = <Args extends unknown[]>(
  body: (context: CliContext, ...args: Args) => Promise<number | undefined | void>,
) => (...args: Args) => Promise<void>;
