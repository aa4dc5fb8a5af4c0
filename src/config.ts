import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { Fault } from './kernel/fault.ts';

/**
 * Every setting, with its default and its meaning: the only reader of the environment. docs/configuration.md lists the same;
 * a test compares them. A new setting must argue for itself: a good default beats a knob.
 */
const whole = (low: number, high: number) => z.coerce.number().int().min(low).max(high);
const mebibyte = 1_048_576;
/** What may stand in a header. */
const keyText = /^[\x21-\x7e]{1,1000}$/;
const key = z.string().regex(keyText, 'has spaces, line breaks or other characters that no key has');

const environment = z.object({
  /** All data of this machine: database, blobs, sandboxes. */
  SKEP_HOME: z.string().min(1).default(join(homedir(), '.skep')),
  /** Where coding agents are installed; by default agents in SKEP_HOME. */
  SKEP_AGENTS: z.string().min(1).optional(),
  /** A PostgreSQL ≥ 15 to use instead of the embedded one; its role owns the database and is no superuser. */
  DATABASE_URL: z.string().min(1).optional(),
  /** Port of the embedded PostgreSQL; by default any free one. */
  SKEP_DB_PORT: whole(1, 65_535).optional(),
  /** Where what runs hand in is kept; by default in the database where DATABASE_URL names one, else in SKEP_HOME. */
  SKEP_BLOBS: z.enum(['folder', 'database']).optional(),
  SKEP_HOST: z.string().min(1).default('127.0.0.1'),
  SKEP_PORT: whole(0, 65_535).default(8080),
  SKEP_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('warn'),
  /** Where the CLI and workers find the server. */
  SKEP_SERVER: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8080'),
  /** The bearer token of the CLI and of workers. */
  SKEP_TOKEN: z.string().min(1).optional(),
  /** How many runs a worker executes at once. */
  SKEP_WORKER_SLOTS: whole(1, 100).default(2),
  /** What runs work in: local, oci, oci:runsc, oci:docker, process (src/providers/sandboxes/choose.ts). The last isolates nothing. */
  SKEP_SANDBOX: z.string().default('local'),
  /** How many sandboxes a worker has wait for runs at most, while it has free slots; by default as many as slots. 0: none. */
  SKEP_SANDBOX_WARM: whole(0, 100).optional(),
  /** A run that is silent for so long is lost and its subject is run again (PRODUCT 3.4: 15 s, heartbeat 5 s). */
  SKEP_LEASE_MS: whole(300, 600_000).default(15_000),
  SKEP_HEARTBEAT_MS: whole(100, 200_000).default(5_000),
  /** Attempts at one ticket before it is failed. */
  SKEP_ATTEMPTS_MAX: whole(1, 100).default(3),
  /** First wait before a failed ticket is tried again; doubles with each attempt. */
  SKEP_RETRY_MS: whole(0, 3_600_000).default(2_000),
  /** Between restarts of what broke off, from the second within an hour on; and how many an hour before a person is asked (PRODUCT 3.4). */
  SKEP_RESTART_COOLDOWN_S: whole(0, 3_600).default(60),
  SKEP_RESTARTS_MAX: whole(0, 1_000).default(3),
  /** How many runs must break off within a minute for the brake to be pulled. */
  SKEP_STORM_FAILURES: whole(1, 100_000).default(10),
  /** How long a run may be due before it goes before all that is not, in seconds. */
  SKEP_QUEUE_AGE_S: whole(1, 604_800).default(7_200),
  /** Rounds of review of one ticket before it is failed, and the wall clock of each check in a round (PRODUCT 3.8: 10 and 30 min). */
  SKEP_REVIEW_ROUNDS_MAX: whole(1, 50).default(10),
  SKEP_REVIEW_TIMEOUT_MS: whole(100, 86_400_000).default(1_800_000),
  /** How long an agent's question waits for a person before its default holds, in seconds (PRODUCT 3.1). */
  SKEP_QUESTION_S: whole(60, 604_800).default(1_800),
  /** How much of that its run waits too; less than the minute after which many an agent breaks off a call of a tool. */
  SKEP_QUESTION_WAIT_S: whole(0, 3_600).default(50),
  SKEP_RUN_TIMEOUT_MS: whole(100, 86_400_000).default(1_800_000),
  SKEP_RUN_OUTPUT_BYTES_MAX: whole(1_000, 1_024 * mebibyte).default(64 * mebibyte),
  SKEP_RUN_BUNDLE_BYTES_MAX: whole(1_000, 4_096 * mebibyte).default(256 * mebibyte),
  SKEP_RUN_MEMORY_BYTES: whole(16 * mebibyte, 1_048_576 * mebibyte).default(2_048 * mebibyte),
  SKEP_RUN_PROCESSES: whole(8, 100_000).default(256),
  SKEP_RUN_CPUS: z.coerce.number().min(0.1).max(1_000).default(2),
  /** Of the workspace with all that is built in it; the repository's own size comes first out of it. */
  SKEP_RUN_WORKSPACE_BYTES: whole(16 * mebibyte, 1_048_576 * mebibyte).default(10_240 * mebibyte),
  SKEP_RUN_TMP_BYTES: whole(mebibyte, 1_048_576 * mebibyte).default(256 * mebibyte),
  /** Wall clock of a project's setup command, and how much a worker keeps of what they leave. */
  SKEP_SETUP_TIMEOUT_MS: whole(100, 86_400_000).default(900_000),
  SKEP_DEPENDENCIES_MAX: whole(1, 10_000).default(20),
  SKEP_DEPENDENCIES_BYTES_MAX: whole(mebibyte, 1_048_576 * mebibyte).default(20_480 * mebibyte),
  /** Keys of model providers. They stand in no log, message or process list: the gateway alone uses them. */
  ANTHROPIC_API_KEY: key.optional(),
  OPENAI_API_KEY: key.optional(),
  GEMINI_API_KEY: key.optional(),
  /** Providers, aliases and prices of models; by default models.json in SKEP_HOME, where it is there. */
  SKEP_MODELS: z.string().min(1).optional(),
  /** A recording, a file or a folder: then the provider `recorded` plays it. */
  SKEP_RECORDING: z.string().min(1).optional(),
  /** A folder into which the server records what models answer. */
  SKEP_RECORD_TO: z.string().min(1).optional(),
  /** Tests only: named places at which this process kills or stops itself (src/kernel/failpoint.ts). */
  SKEP_FAILPOINTS: z.string().default(''),
});

export type Environment = Readonly<Record<string, string | undefined>>;
export type Settings = Readonly<z.infer<typeof environment>>;

/** Reads and checks the settings; `overrides` are what flags of a command said. Throws Fault `invalid_config` naming each bad one. */
export function readSettings(overrides: Environment = {}, env: Environment = process.env): Settings {
  const given = Object.fromEntries(
    Object.entries({ ...env, ...withoutUndefined(overrides) }).filter(([key, value]) => key in environment.shape && value !== ''),
  );
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    throw new Fault('invalid_config', {
      message: parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; '),
      hint: 'Each setting with its range is listed in docs/configuration.md',
    });
  }
  if (parsed.data.SKEP_HEARTBEAT_MS * 2 > parsed.data.SKEP_LEASE_MS) {
    throw new Fault('invalid_config', {
      message: 'SKEP_HEARTBEAT_MS: must be at most half of SKEP_LEASE_MS, or one late heartbeat loses the run',
    });
  }
  return Object.freeze({ ...parsed.data, SKEP_HOME: resolve(parsed.data.SKEP_HOME) });
}

/** The key in a variable that the models file names; undefined where there is none that could stand in a header. */
export function keyNamed(name: string, env: Environment = process.env): string | undefined {
  const value = env[name];
  return value !== undefined && keyText.test(value) ? value : undefined;
}

/** The keys and tokens of this process, so that they can be kept out of what is written: values of `…_KEY`, `…_TOKEN` and the like. */
export function secretsOf(env: Environment = process.env): string[] {
  const named = Object.entries(env).filter(([key]) => /(_KEY|_TOKEN|_SECRET|_PASSWORD)$/i.test(key) || key === 'DATABASE_URL');
  return named.flatMap(([, value]) => (value === undefined || value === '' ? [] : [value]));
}

/** The environment of this process for one that it starts, with settings of its own. */
export function environmentWith(settings: Environment): Environment {
  return { ...process.env, ...settings };
}

function withoutUndefined(values: Environment): Environment {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
