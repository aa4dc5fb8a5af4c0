import type { SandboxLimits } from '../../../worker/sandbox.ts';
import { findProgram, SYSTEM_PATH } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { homePath } from '../../../worker/sandbox.ts';

interface Steps {
  readonly tools: Tools;
  /** A folder that is covered, in the private mount namespace only. */
  readonly place: string;
  readonly parts: readonly { readonly from: string; readonly to: string; readonly right: string }[];
  readonly uid: number | undefined;
  readonly limits: SandboxLimits;
  readonly cgroupFiles: readonly string[];
  readonly hasGroup: boolean;
}

/**
 * The steps between a new mount namespace and the starter: a root that shows all that the host's shows, and beside it the folders of the
 * sandbox; then the rights that were needed for that are put down.
 */
export function rootSteps({ tools, place, parts, uid, limits, cgroupFiles, hasGroup }: Steps): readonly string[] {
  const chroot = findProgram(SYSTEM_PATH, 'chroot') ?? 'chroot';
  const id = String(uid);
  // Whoever becomes another user must arm the death signal again.
  const rights = ['--pdeathsig', 'KILL', '--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all'];
  const become = uid === undefined ? [] : ['--reuid', id, '--regid', id, '--clear-groups', '--bounding-set=-all'];
  return [
    ...[tools.sh, '-c', SCRIPT, 'skep-sandbox', tools.mount, place, String(Math.max(4_096, Math.floor(limits.tmpBytes)))],
    ...cgroupFiles.flatMap(file => ['cgroup', file]),
    ...parts.flatMap(({ from, to, right }) => [right, from, to]),
    ...(hasGroup ? [] : ['data', String(Math.ceil(limits.memoryBytes / 1_024))]),
    ...['then', chroot, place, tools.setpriv, ...become, ...rights, '--'],
  ];
}

const SCRIPT = `
set -e
mount=$1
place=$2
size=$3
shift 3
ulimit -c 0
while [ "$1" = cgroup ]; do echo 0 > "$2"; shift 2; done
"$mount" -t tmpfs -o mode=755,size=1m,nr_inodes=4096 skep "$place"
show() {
  if [ -L "$1" ]; then cp -P -- "$1" "$2"
  elif [ -d "$1" ]; then mkdir -- "$2"; [ "$1" = "$place" ] || "$mount" --rbind -- "$1" "$2"
  elif [ -f "$1" ]; then : > "$2"; "$mount" --bind -- "$1" "$2"
  fi
}
for path in /* /.[!.]*; do
  case $path in
  /work | /kept | /skep | /home) ;;
  *) show "$path" "$place$path" ;;
  esac
done
mkdir "$place/home"
for path in /home/* /home/.[!.]*; do
  case $path in
  ${homePath}) ;;
  *) show "$path" "$place$path" ;;
  esac
done
mkdir "$place${homePath}"
"$mount" -t tmpfs -o "mode=1777,nosuid,nodev,size=$size" skep "$place${homePath}"
"$mount" -t proc -o nosuid,nodev,noexec proc "$place/proc"
while [ "$1" = ro ] || [ "$1" = rw ]; do
  [ -d "$place$3" ] || mkdir -p -- "$place$3"
  "$mount" --rbind -- "$2" "$place$3"
  [ "$1" = rw ] || "$mount" -o remount,bind,ro -- "$place$3"
  shift 3
done
if [ "$1" = data ]; then ulimit -d "$2"; shift 2; fi
shift
exec "$@"`;
