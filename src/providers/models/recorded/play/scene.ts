import type { UpstreamCall } from '../../../../gateway/upstream.ts';
import type { Match, Scene } from '../format.ts';
import type { Recording } from '../load.ts';
import { RecordingMismatch } from './mismatch.ts';

type Run = Pick<UpstreamCall['run'], 'subjectType' | 'title' | 'phase' | 'round'>;

/** The first scene whose match fits. Throws RecordingMismatch where none does. */
export function sceneFor({ name, scenes }: Recording, run: Run): Scene {
  const scene = scenes.find(({ match }) => isMatch(match, run));
  if (scene !== undefined) return scene;
  throw new RecordingMismatch(
    `The recording '${name}' has no scene for this run (${described(run)}): a recorded demo can only do what was recorded. ` +
      'Add a scene, or make a new recording with skep record',
  );
}

function isMatch({ subject, title, phase, round }: Match, run: Run): boolean {
  return (
    (subject ?? run.subjectType) === run.subjectType &&
    (title ?? run.title) === run.title &&
    (phase ?? run.phase) === run.phase &&
    (round ?? run.round) === run.round
  );
}

export function described({ subjectType, title, phase, round }: Run): string {
  const of = phase === null ? `title '${title}'` : `phase ${phase}`;
  return `subject ${subjectType}, ${of}, round ${round}`;
}
