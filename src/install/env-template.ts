export type TemplateKey = {
  key: string;
  required: boolean;
  secret: boolean;
  generate?: string;
  default: string;
  comments: string[];
};

export type EnvInputs = {
  /** `--set KEY=VALUE` */
  set?: Record<string, string>;
  /** Values that did not come from the command line (`--set-file`, prompt, the release itself: VERSION). Secrets may be here. */
  given?: Record<string, string>;
  /** Makes the value for `generate=KIND`; hex32 by node:crypto unless told. */
  generate?: (kind: string) => string;
};

export type NewEnv = {
  bytes: Buffer;
  /** Required keys without a value: nothing is to be written while there are any. */
  missing: string[];
  generated: string[];
};
export type MergedEnv = NewEnv & { added: string[]; changed: string[] };

export declare function templateKeys(template: Uint8Array): TemplateKey[];

/** A first install's `.env`. @throws SECRET_ON_COMMAND_LINE, USAGE (unknown key), ENV_INVALID */
export declare function renderNewEnv(template: Uint8Array, inputs?: EnvInputs): NewEnv;

/** An upgrade's: keys that only the template has are appended, everything else stays; `set`/`given` change single values. */
export declare function mergeEnv(current: Uint8Array, template: Uint8Array, inputs?: EnvInputs): MergedEnv;
