import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Check } from '../../../../contract/projects.ts';
import type { SpecCardInput } from '../../../../contract/spec-card.ts';
import { usage } from '../../command.ts';
import { beginRepository, git } from '../../demo/sample.ts';
import { makeFolder, noteSandbox } from './left.ts';

/** What a try has on the disk, and takes away. */
export interface Places {
  readonly folder: string;
  readonly repository: string;
  readonly home: string;
  readonly recording: string;
}

/** The file that the ticket asks for. */
export const wantedFile = 'goodbye.txt';

export const card: SpecCardInput = {
  name: 'try',
  features: [
    {
      title: 'Say goodbye',
      description: `Beside hello.txt the repository shall have a file ${wantedFile}, with one line that says goodbye to Ada as hello.txt says hello.`,
      acceptance_criteria: [`${wantedFile} is there`, '`sh check.sh` is green'],
    },
  ],
};

export const checks: readonly Check[] = [{ name: 'sh check.sh', command: ['sh', 'check.sh'] }];

const sample: Readonly<Record<string, string>> = {
  'README.md': '# Greetings\n\nEach text is one file with one line, which names Ada. `sh check.sh` sees to that.\n',
  'hello.txt': 'Hello, Ada!\n',
  'check.sh': `set -eu
for file in *.txt; do
  if [ "$(grep -c '' "$file")" != 1 ] || ! grep -q Ada "$file"; then
    echo "$file must be one line that names Ada"
    exit 1
  fi
  echo "$file is well"
done
`,
};

/** What the model is recorded to say, to an agent and to whoever asks it for the file. */
const scenes = {
  agent: [
    // shell: a step of a recording, which an agent takes in its sandbox
    { expect: 'Say goodbye', say: 'I look at what is there.', call: { shell: 'cat README.md hello.txt' } },
    { expect: 'Hello, Ada!', say: 'I write the file.', call: { write: { path: wantedFile, content: 'Goodbye, Ada!\n' } } },
    // shell: as above
    { say: 'I run the check.', call: { shell: 'sh check.sh' } },
    {
      expect: `${wantedFile} is well`,
      call: {
        report: { tool: 'submit_result', args: { status: 'done', summary: `${wantedFile} is there, and sh check.sh is green` } },
      },
    },
    { say: 'It is done.' },
  ],
  file: [{ expect: 'Say goodbye', say: 'Goodbye, Ada!' }],
};

interface Wanted {
  readonly cwd: string;
  /** Files and folders of the user's that are to be in the repository, as seen from `cwd`. */
  readonly files: readonly string[];
  readonly scene: keyof typeof scenes;
  /** Of the sandboxes that will be in its home. */
  readonly sandbox: string;
}

/** Makes a new folder with the sample repository, an empty home and the recording. Throws usage errors for what is not there to be copied. */
export async function makePlaces({ cwd, files, scene, sandbox }: Wanted): Promise<Places> {
  for (const file of files) refuseCopy(cwd, file);
  const folder = makeFolder();
  const places = {
    folder,
    repository: join(folder, 'greetings'),
    home: join(folder, 'home'),
    recording: join(folder, 'try.json'),
  };
  try {
    for (const made of [places.repository, places.home]) mkdirSync(made, { mode: 0o700 });
    for (const [path, text] of Object.entries(sample)) writeFileSync(join(places.repository, path), text);
    for (const file of files) copyInto(places.repository, { cwd, file });
    await beginRepository(places.repository, 'Say hello');
    const match = { subject: 'ticket', title: 'Say goodbye' };
    const recording = { format: 1, name: 'try', priced_as: 'openai/gpt-5-codex', scenes: [{ match, steps: scenes[scene] }] };
    writeFileSync(places.recording, JSON.stringify(recording));
    noteSandbox(folder, sandbox);
    return places;
  } catch (error) {
    removePlaces(places);
    throw error;
  }
}

export function removePlaces({ folder }: Pick<Places, 'folder'>): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** What the work has come to on its branch: whether the file is there, and the names of what has changed. */
export async function landed({ repository }: Places, branch: string): Promise<readonly string[]> {
  const names = await git(repository, ['diff', '--name-only', `main..refs/heads/${branch}`]);
  return names.split('\n').filter(name => name !== '');
}

function refuseCopy(cwd: string, file: string): void {
  const within = relative(cwd, resolve(cwd, file));
  if (within === '' || within.startsWith('..') || within.split('/').includes('.git'))
    throw usage(`${file} is no file or folder below this one`, 'Go to the folder of your agent first');
  if (statSync(resolve(cwd, file), { throwIfNoEntry: false }) === undefined) throw usage(`${file} does not exist`);
  if ((within.split('/')[0] ?? '') in sample)
    throw usage(`${file} would take the place of a file of the sample`, 'Give it another name');
}

function copyInto(repository: string, { cwd, file }: { cwd: string; file: string }): void {
  const to = join(repository, relative(cwd, resolve(cwd, file)));
  mkdirSync(dirname(to), { recursive: true });
  cpSync(resolve(cwd, file), to, { recursive: true });
}

/** The words of a command that name files here: its sandbox sees nothing of this folder but what is copied. */
export function filesNamed(cwd: string, command: readonly string[]): readonly string[] {
  return command.filter(
    word => !word.startsWith('/') && !relative(cwd, resolve(cwd, word)).startsWith('..') && isFile(resolve(cwd, word)),
  );
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
