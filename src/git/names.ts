/**
 * Names that may stand on a command line of git. git's own rule for refs (check-ref-format) takes `-x`, backticks and `$(…)`.
 */
const plain = /^(?!.*(?:\.\.|\/\/|\/\.))(?!.*(?:\.lock|[./])(?:\/|$))[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;
const objectId = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

export function isBranchName(name: string): boolean {
  return plain.test(name);
}

/** A ref of Skep's own, such as refs/skep/runs/7. */
export function isSkepRef(ref: string): boolean {
  return ref.startsWith('refs/skep/') && plain.test(ref.slice('refs/skep/'.length));
}

/** The full id of an object. */
export function isObjectId(id: string): boolean {
  return objectId.test(id);
}
