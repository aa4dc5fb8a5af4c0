import type { Environment } from '../../../config.ts';
import { demoModel } from '../../demo/options.ts';
import type { Places } from './sample.ts';

/** The model that is recorded, where none is named. */
export const recordedModel = demoModel;

interface Given {
  /** Where the user's agents are installed. */
  readonly agents: string;
  readonly isRecorded: boolean;
  /** The file of the user's own providers of models; undefined where there is none. */
  readonly models: string | undefined;
}

/** The settings of a try: a home of its own, and of the user's what leads to models and to sandboxes. What is empty counts as not set. */
export function trySettings({ home, recording }: Places, { agents, isRecorded, models }: Given): Environment {
  return {
    SKEP_HOME: home,
    SKEP_AGENTS: agents,
    // Its first end is what is to be seen.
    ...{ SKEP_WORKER_SLOTS: '1', SKEP_ATTEMPTS_MAX: '1' },
    ...(isRecorded || models === undefined ? {} : { SKEP_MODELS: models }),
    ...(isRecorded ? { SKEP_RECORDING: recording, ...Object.fromEntries(forModels.map(name => [name, ''])) } : {}),
    ...Object.fromEntries(notForTries.map(name => [name, ''])),
  };
}

const notForTries = [
  'DATABASE_URL',
  'SKEP_DB_PORT',
  'SKEP_SERVER',
  'SKEP_TOKEN',
  'SKEP_HOST',
  'SKEP_RECORD_TO',
  'SKEP_FAILPOINTS',
];
/** No model is asked where it is recorded. */
const forModels = ['SKEP_MODELS', 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY'];
