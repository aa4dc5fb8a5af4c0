import { posix } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { addedProgramsPath, homePath } from '../../../worker/sandbox.ts';
import type { SandboxCommand } from '../../../worker/sandbox.ts';

/**
 * Of what the kernel kills in the command's group alone for want of memory. `counted`: the starter sees it. `asked`: the host reads it when the
 * command has ended, while the starter waits for the end of the stream `answersFd`.
 */
export type Counting = 'counted' | 'asked' | 'unknown';
export const answersFd = 3;

/** Where a command begins to look for programs, beside what it is shown. */
const PATH = `/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:${addedProgramsPath}`;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What the starter says on stderr, each after its token and before a line's end. */
export const words = ['hello', 'folder', 'program', 'ready', 'ended', 'memory'] as const;
export type Word = (typeof words)[number];

/**
 * Process 1 of whatever surrounds a command. It reads the environment from a descriptor, so that no secret stands in a process
 * list or in what an engine keeps of a container; tells what kept the command from starting, which an exit code can't; and waits for
 * the command, whose end is its own and with that the end of all that the command has started.
 *
 * Before the command runs nothing else can write to stderr, so what is said until `ready` is true.
 */
const STARTER = `
set -f
say() { echo "$0 $1" >&2; }
say hello
IFS=
skep_script=
while read -r skep_line <&"$1" && [ "$skep_line" != "$0" ]; do skep_script="$skep_script$skep_line
"; done
[ "$skep_line" = "$0" ] || exit 0
eval "$skep_script"
[ -z "$skep_processes" ] || ulimit -u "$skep_processes" 2> /dev/null || ulimit -p "$skep_processes" || exit 1
[ "$1" = 0 ] || eval "exec $1<&-"
shift
cd -- "$1" 2> /dev/null || { say folder; exit 1; }
unset OLDPWD
shift
skep_found=
case $1 in
*/*) skep_found=$1 ;;
*) IFS=:
  for skep_folder in $PATH; do if [ -f "$skep_folder/$1" ] && [ -x "$skep_folder/$1" ]; then skep_found=$skep_folder/$1; break; fi; done
  IFS= ;;
esac
case $1 in *=*) skep_found= ;; esac
if [ ! -f "$skep_found" ] || [ ! -x "$skep_found" ]; then say program; exit 1; fi
say ready
exec 9>&2 2> /dev/null
(
  [ "$skep_input" = given ] || exec < /dev/null
  exec /usr/bin/env -- "$@" 2>&9 9>&- ${answersFd}<&-
)
skep_code=$?
echo "$0 ended" >&9
[ "$skep_memory" != asked ] || read -r skep_line <&${answersFd}
[ "$skep_code" = 0 ] || [ "$skep_memory" != counted ] && exit "$skep_code"
for skep_file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  [ -r "$skep_file" ] || continue
  while IFS=' ' read -r skep_name skep_count; do
    if [ "$skep_name" = oom_kill ] && [ "$skep_count" != 0 ]; then echo "$0 memory" >&9; fi
  done < "$skep_file"
done
exit "$skep_code"`;

interface Start {
  /** Names this one command; it is no secret. */
  readonly token: string;
  readonly command: SandboxCommand;
  /** The descriptor that brings the preamble. */
  readonly preambleFd: number;
}

/** Words for the starter: a shell with nothing in its environment. */
export function starterArgv({ token, command: { argv, cwd }, preambleFd }: Start): readonly string[] {
  // shell: its program is the one above; the command's words are its arguments
  const shell = ['-i', 'PATH=/usr/bin:/bin', '/bin/sh', '-c', STARTER, token, String(preambleFd)];
  return ['/usr/bin/env', ...shell, workPath(cwd), ...argv].map(checked);
}

interface Setting {
  readonly token: string;
  readonly command: SandboxCommand;
  /** Whether the descriptor from which the starter has read is the command's standard input. */
  readonly hasInput: boolean;
  readonly counting: Counting;
  /** So many processes the user of the command may have at most, the starter's among them; undefined: the starter limits nothing. */
  readonly processesMax: number | undefined;
}

/** What the starter reads. */
export function preamble({ token, command: { env = {} }, hasInput, counting, processesMax }: Setting): string {
  const wrong = Object.keys(env).find(name => !variableName.test(name));
  if (wrong !== undefined) throw new Fault('invalid_request', { message: `"${wrong}" is no name of an environment variable` });
  const given = Object.entries({ PATH, HOME: homePath, LANG: 'C.UTF-8', ...env });
  const exports = given.map(([name, value]) => `export ${name}='${checked(value).replaceAll("'", String.raw`'\''`)}'\n`);
  const facts = `skep_input=${hasInput ? 'given' : 'none'}\nskep_memory=${counting}\nskep_processes=${processesMax ?? ''}\n`;
  return `${exports.join('')}${facts}${token}\n`;
}

function workPath(cwd = '.'): string {
  const path = posix.join('/work', cwd);
  if (!cwd.startsWith('/') && (path === '/work' || path.startsWith('/work/'))) return path;
  throw new Fault('invalid_request', { message: `"${cwd}" is not a folder inside the workspace` });
}

function checked(word: string): string {
  if (!word.includes('\0')) return word;
  throw new Fault('invalid_request', { message: 'an argument, a path or a variable of a sandbox holds a NUL byte' });
}
