/** Models of the provider that plays a recording (SKEP_RECORDING): no model is asked, and nothing is paid. */
const recordedModel = /^recorded\//;

export function isRecorded(model: string | undefined): boolean {
  return model !== undefined && recordedModel.test(model);
}

/** How it is called wherever it shows. */
export const recordedLabel = 'recorded demo';

/** Behind what a recording says or does; empty for a model that is asked. */
export function recordedNote(model: string | undefined): string {
  return isRecorded(model) ? ` (${recordedLabel})` : '';
}
