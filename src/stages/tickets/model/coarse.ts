/** So many paths of one ticket are kept: each claim compares them with what waits. */
export const observedPathsMax = 100;

/** The paths, or where those are too many the folders that they are in: what touches one of them is still seen. */
export function coarse(paths: readonly string[]): string[] {
  let kept = new Set(paths);
  for (let depth = deepest(kept); kept.size > observedPathsMax && depth > 1; depth--) {
    kept = new Set(
      [...kept].map(path =>
        path
          .split('/')
          .slice(0, depth - 1)
          .join('/'),
      ),
    );
  }
  // At the root there is no folder that would stand for them.
  return [...kept].toSorted().slice(0, observedPathsMax);
}

function deepest(paths: ReadonlySet<string>): number {
  let depth = 0;
  for (const path of paths) depth = Math.max(depth, path.split('/').length);
  return depth;
}
