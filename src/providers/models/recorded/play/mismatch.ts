/** The run is not as it was recorded: its message is for the person who wants to know what to do about it. */
export class RecordingMismatch extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RecordingMismatch';
  }
}

const shownLengthMax = 300;

/** At most 300 characters; of what was asked and put out the end tells most. */
export function shortened(text: string, { keeps = 'start' }: { keeps?: 'start' | 'end' } = {}): string {
  const trimmed = text.trim();
  if (trimmed.length <= shownLengthMax) return trimmed;
  const kept = keeps === 'start' ? trimmed.slice(0, shownLengthMax - 1) : trimmed.slice(1 - shownLengthMax);
  return keeps === 'start' ? `${kept}…` : `…${kept}`;
}
