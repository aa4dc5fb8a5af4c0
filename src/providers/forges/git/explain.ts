import { Fault, isFault } from '../../../kernel/fault.ts';
import type { Source } from './source.ts';

type Reason = readonly [words: RegExp, what: string, hint: string];

/** What git says, what it means, and what to do. The first that fits. */
const reasons: readonly Reason[] = [
  [
    /did not end within/,
    'did not answer in time',
    'Look whether it can be reached from the machine of the server, and try again',
  ],
  [
    /transport '[^']*' not allowed|lazy fetching disabled|promisor|unable to read [0-9a-f]{40}|missing (blob|tree) object/,
    'lacks objects of its own history, as a partial clone does',
    'Fetch all of them first: git fetch --refetch --no-filter',
  ],
  [
    /Could not resolve host|Name or service not known|unable to look up/i,
    'is on a host that is not known here',
    'Check the address for a slip',
  ],
  [
    /Connection (refused|reset|timed out)|Failed to connect|Couldn't connect|No route to host|early EOF|hung up/i,
    'cannot be reached',
    'Look whether its server runs and can be reached from the machine of Skep',
  ],
  [
    /Authentication failed|could not read (Username|Password)|Permission denied \(|HTTP Basic: Access denied|error: 401/i,
    'wants a login',
    'Put a user and a token into the URL of the project, or give the user that Skep runs as an SSH key without a passphrase',
  ],
  [/error: 403|forbidden/i, 'refuses the login', 'Give the token of the URL access to this repository'],
  [
    /not found|error: 404|access denied or repository not exported/i,
    'does not exist, or is hidden from this login',
    'Check its address',
  ],
  [/Host key verification failed/, 'is on a host whose SSH key is not known', 'Connect to it once by hand: ssh <host>'],
  [/dubious ownership/, 'belongs to another user', 'Let the user that Skep runs as own it'],
  [/Permission denied|Operation not permitted/, 'may not be read by Skep', 'Let the user that Skep runs as read it'],
  [/not (appear to be )?a git repository/, 'is no git repository', 'Run git init in it and make a commit, or name another'],
];

/** A failure of git in words of what the user can do. Anything else is handed back as it is. */
export function explained(error: unknown, { url }: Pick<Source, 'url'>): unknown {
  if (!isFault(error, 'repository_unavailable')) return error;
  const [, what, hint] = reasons.find(([words]) => words.test(error.message)) ?? [];
  if (what === undefined || hint === undefined) return error;
  return new Fault('repository_unavailable', { message: `The repository ${url} ${what}: ${error.message}`, hint, cause: error });
}
