/** `compose config --format json`: interpolated and merged; only the members that airdock uses are typed. */
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
  /** Compose doubles every `$` that it renders, so this value can be written into a compose file unchanged. */
  command?: string[] | null;
  entrypoint?: string[] | null;
  working_dir?: string;
  user?: string;
  environment?: Record<string, string | null>;
  depends_on?: Record<string, { condition?: string; required?: boolean }>;
  ports?: { mode?: string; host_ip?: string; target: number; published?: string; protocol?: string }[];
  volumes?: { type: string; source?: string; target: string; read_only?: boolean }[];
  networks?: Record<string, unknown>;
  network_mode?: string;
  /** `NAME=ADDRESS`, or with a colon. */
  extra_hosts?: string[];
  restart?: string;
  healthcheck?: { disable?: boolean; test?: string[]; [setting: string]: unknown };
  deploy?: { replicas?: number };
  scale?: number;
  labels?: Record<string, string>;
};
