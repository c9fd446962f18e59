import type { Readable, Writable } from 'node:stream';
import { AirdockError } from '../errors.ts';
import type { Run, RunOptions, RunResult } from './process.ts';

export type ComposeOptions = {
  run: Run;
  /** Docker endpoint, from `resolveEndpoint`. */
  endpoint: string;
  project: string;
  /** What relative paths of the files mean: the deployment's directory. */
  directory: string;
  /** Every file, in order: nothing is taken from COMPOSE_FILE or found by its name. */
  files: readonly string[];
  envFile: string;
  /** Besides COMPOSE_PROFILES of the env file. */
  profiles?: readonly string[];
};

/** `compose config --format json`: interpolated and merged; only what airdock looks at is typed. */
export type ComposeModel = {
  name: string;
  services: Record<string, ComposeService>;
  volumes?: Record<string, { name?: string; external?: boolean } | null>;
  networks?: Record<string, { name?: string; external?: boolean; internal?: boolean } | null>;
};
export type ComposeService = {
  image?: string;
  build?: unknown;
  container_name?: string;
  profiles?: string[];
  environment?: Record<string, string | null>;
  depends_on?: Record<string, { condition?: string; required?: boolean }>;
  ports?: { mode?: string; host_ip?: string; target: number; published?: string; protocol?: string }[];
  volumes?: { type: string; source?: string; target: string; read_only?: boolean }[];
  networks?: Record<string, unknown>;
  restart?: string;
  healthcheck?: { disable?: boolean; test?: string[] };
  deploy?: { replicas?: number };
  scale?: number;
  labels?: Record<string, string>;
};

export type OneShotOptions = {
  labels?: Record<string, string>;
  /** Values go through compose's own environment (`-e KEY`): they never show in a process list. */
  env?: Record<string, string>;
  /** Container name; compose makes one up otherwise. */
  name?: string;
  onLine?: (line: string) => void;
  timeoutMs?: number;
  signal?: AbortSignal;
};

export type ExecOptions = {
  env?: Record<string, string>;
  input?: Buffer | Readable;
  /** Takes stdout as bytes. */
  stdout?: Writable;
  user?: string;
  signal?: AbortSignal;
  timeoutMs?: number;
};

/** `docker compose` for one project. Methods throw when compose fails, except `run` and `exec`: their exit code is the result. */
export interface Compose {
  readonly project: string;
  readonly directory: string;
  readonly files: readonly string[];
  /** `2.40.3` @throws COMPOSE_UNAVAILABLE */
  version(): Promise<string>;
  /** Services of active profiles. @throws COMPOSE_INVALID */
  config(): Promise<ComposeModel>;
  /** Service -> what `com.docker.compose.config-hash` of its containers would be. @throws COMPOSE_INVALID */
  hashes(): Promise<Map<string, string>>;
  /** `up -d --pull never`, never `--remove-orphans`; all services when none is named. @throws UP_FAILED */
  up(services?: readonly string[], options?: UpOptions): Promise<void>;
  /** `run --rm -T --no-deps`: a one-shot container. With deps it would recreate a database (FACTS section 2). */
  run(service: string, command: readonly string[], options?: OneShotOptions): Promise<RunResult>;
  /** `exec -T`. After SIGKILL of airdock the process in the container goes on. */
  exec(service: string, command: readonly string[], options?: ExecOptions): Promise<RunResult>;
  /** `rm -sf`: stopped ones would come back when the engine restarts. @throws STEP_FAILED */
  remove(services: readonly string[]): Promise<void>;
  /** @throws STEP_FAILED */
  stop(services: readonly string[]): Promise<void>;
}

export type UpOptions = { noDeps?: boolean; noRecreate?: boolean; signal?: AbortSignal; onLine?: (line: string) => void };

export declare function openCompose(options: ComposeOptions): Compose;
