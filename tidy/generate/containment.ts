import { archiveRows, gatewayRows, pathRows, raceRows, readingRows, settingRows } from '../../test/containment/table/host.ts';
import { carriedRows, worthRows } from '../../test/containment/table/exfil.ts';
import { cacheRows } from '../../test/containment/table/cache.ts';
import { inside } from '../../test/containment/table/inside.ts';
import { bombRows, lastingRows } from '../../test/containment/table/limits.ts';
import { groups } from '../../test/containment/table/row.ts';
import type { Group, Guard, Row } from '../../test/containment/table/row.ts';
import { wheres } from '../../test/containment/table/where.ts';

const rows: readonly Row[] = [
  ...inside,
  ...bombRows,
  ...lastingRows,
  ...cacheRows,
  ...pathRows,
  ...settingRows,
  ...readingRows,
  ...raceRows,
  ...archiveRows,
  ...gatewayRows,
  ...carriedRows,
  ...worthRows,
];

const guards: Readonly<Record<Guard, string>> = {
  ...{ isolation: 'the walls', network: 'the network', platform: 'the platform', nobody: 'nobody' },
  ...{ memory: 'memory', processes: 'processes', cpu: 'processor time', tmp: '`/tmp`', workspace: 'the workspace' },
  ...{ output: 'output', time: 'time' },
};

/** What each group shows, in a sentence. */
const words: Readonly<Record<Group, string>> = {
  read: 'Canaries are planted on the host: in files that everybody and that nobody else may read, in the home of Skep, in the arguments and the environment of the worker and of other processes, behind ports and sockets. None of them is in anything that the sandbox can open, print or send.',
  write:
    'Every file of the host that is within reach of a mistake has the same content, owner, rights and time after the attack as before.',
  calls:
    'Sockets of other families are only made, never connected. "With an upper bit": the kernel reads 32 bits of such an argument, and a filter that compares 64 would let it pass.',
  network: 'Addresses of the world are those that are kept for documentation. What listens on the host for it is never called.',
  gateway:
    'An agent with a model has one way out, to the gateway of its server. Through it the server is asked for nothing else, and nobody else is asked at all.',
  proxy:
    'Rules allow `allowed.test` and names below `wide.test`, at port P, and others for what leads inward; the program writes to the proxy’s own socket, past every client. `host`, `port` and the like are the reasons of a refusal, which the run tells of; 127.0.0.1 stands for what is allowed, and nobody else is asked anything. In a sandbox of kind `process` the proxy answers the same, and need not be asked.',
  secrets: 'What a sandbox has of its own is what its run was given: a token that ends with the lease.',
  exfil:
    'A real worker runs an agent that says its run token wherever it is heard; then all is searched that is kept (every row of the database, logs, transcripts, what server and worker print), what lands in the repository, and what a host heard. `nowhere` is what is taken out, in these forms; *the work* and *the host* are what nothing holds back: they get a token that is worth nothing once its run is over, and before that opens the gateway alone. No other secret is in the sandbox to be carried out.',
  beside: 'Two sandboxes of the same worker attack each other, each while it is attacked.',
  cache:
    'A real worker runs a setup once; a hijacked agent, or a hijacked package in the setup, then does what it can to what that left, to the check-out, to caches and to tools; and further runs, of the same project and of another, read all that they begin with. `as it was` is all of it, byte for byte, as before the attack.',
  honest: 'A sandbox in which nothing works is no sandbox.',
  bombs: 'Meanwhile a second sandbox answers, the worker stays below 256 MiB, and afterwards the first one works as before.',
  lasting: 'After the command no process of it lives and nothing is written any more; also where the worker itself was killed.',
  leaving: 'After the sandbox nothing of it is on the host.',
  paths:
    'Git runs inside the sandbox, so that a trap leads nowhere: the work comes out without what is the host’s, or the run fails by it.',
  settings:
    'A real worker takes the run, collects what the agent has left, and runs the checks. Nothing that the repository names is started or asked on the host.',
  host: 'The host opens no file of a sandbox; programs inside read and write for it. No look takes longer than a moment, whatever the agent has put there.',
  archives: 'Of what is refused nothing stays.',
};

/** docs/sandbox-security.md: what is tried, and what comes of it. */
export function containmentText(): string {
  const parts = (Object.keys(groups) as Group[]).map(group =>
    partOf(
      group,
      rows.filter(row => row.group === group),
    ),
  );
  return `${[begin, ...parts, whereText(), end].join('\n\n')}\n`;
}

function partOf(group: Group, those: readonly Row[]): string {
  const differs = those.some(
    ({ guard, advisory, open, answers }) => guard !== 'platform' && (open.length > 0 || advisory.join() !== answers.join()),
  );
  const head = differs
    ? ['| Attempt | Held by | Enforced | Advisory | Nothing holds it |', '|---|---|---|---|---|']
    : ['| Attempt | Held by | What comes of it |', '|---|---|---|'];
  const lines = those.map(row => {
    // Walls are there or not, and what the platform does itself it does everywhere.
    const isWhole = row.guard === 'isolation' || row.guard === 'platform';
    const others = [isWhole ? '–' : said(row.advisory), row.guard === 'platform' ? '–' : said(row.open)];
    const cells = [row.attempt, guards[row.guard], said(row.answers), ...(differs ? others : [])];
    return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [`## ${groups[group]}`, '', `${words[group]} (${those[0]?.source ?? ''})`, '', ...head, ...lines].join('\n');
}

const whens = { test: 'each test', proof: 'proof', never: '–' } as const;

function whereText(): string {
  const lines = wheres.map(({ kind, hostile, many, long, cache, tried = '' }) => {
    const cells = [kind, ...[hostile, many, cache, long].map(when => whens[when]), tried];
    return `| ${cells.join(' | ')} |`;
  });
  return `## Where it was tried

*From inside*: reading, changing, system calls, the network, the way that is opened, the proxy, secrets, another sandbox, what must still work.
*Many commands*: taking too much, outliving, what is left, traps, what the host takes out. *What others begin with*: the rows of that name, before a
whole worker. *Longest*: the same attempts, 10,000 times or with more. *Each test* is \`npm test\`, *proof* is \`npm run prove -- containment\`
(with \`version-1\` for cgroups of version 1 alone). A workspace that begins as something never comes from the warm pool.
The whole worker before which *what others begin with* is tried is the test's own process, which is no ordinary user; what is kept for others, and how
a run gets it, is the same code in every kind of sandbox. Without walls, as in \`process\`, the rows that only walls answer are left out there.

| Kind of sandbox | From inside | Many commands | What others begin with | Longest | What came of it, where no test says so |
|---|---|---|---|---|---|
${lines.join('\n')}`;
}

function said(answers: readonly string[]): string {
  return answers.length === 0
    ? 'not tried'
    : answers.map(answer => (/^[A-Z_a-z]+$/.test(answer) ? `\`${answer}\`` : answer)).join(', ');
}

const begin = `# What a hijacked agent can do

Made from the table in \`test/containment/table\` by \`npm run generate\`: do not edit.

The agent is taken to be hijacked: it does everything that whoever has taken it over can think of. No row below hopes that a model refuses.
A program that is all of it (\`test/fixtures/hostile\`) runs in each kind of sandbox that there is; what a machine does not have is skipped, and named.
An attempt without a row, a row without an attempt, and another answer than the row's are failures. Rows about the gateway and about settings
show code of the worker, and run in \`local\`. [Where it was tried](#where-it-was-tried) says which suite meets which kind, and what came of it.

*Held by* names what is to hold an attempt back. How far that can be relied on, the worker finds out when it starts, and says so:
*enforced*, *advisory* (it stops accidents and no attacker) or not at all; [sandbox.md](sandbox.md#limits) has the table. *The walls* are the
namespaces, the rights and the filter of system calls; *the platform* is code of Skep, the same in every kind of sandbox. \`reached\` means
that the attempt succeeds. Names in capitals are the errors of the kernel, names in small letters the faults and the ends of commands that
Skep tells. What is *not tried* where nothing holds it would
hurt the machine, or its answer would say nothing.`;

const end = `## What is not contained

- **A hole in the kernel.** All namespaces are the one kernel's. Where that is not acceptable: a worker in a virtual machine.
- **What two sandboxes measure of each other.** Caches of the processor, the page cache of \`/usr\`, the load, the memory in use and the time
  since the start stand open in \`/proc\`: two agents that want to can talk by them, and one can guess what another does.
- **A program of the host for what crashes.** Where \`/proc/sys/kernel/core_pattern\` begins with \`|\`, the kernel starts that program on the
  host, as root, also for a crash in a sandbox, and hands it the memory of what crashed; the limit of core files does not hold that back. Where
  the pattern names a file, none is left.
- **Bandwidth.** Nothing limits how much of the disk's time a sandbox takes, or how often it makes the kernel write.
- **What the kernel counts per user, where the worker is an ordinary one.** Watches and instances of inotify, memory in pipes, waiting
  signals: all sandboxes of that worker and the user's own programs share them. A worker that is root has a user for each sandbox.
- **Memory that no process owns, where there is no cgroup.** Shared memory, files without content in \`/tmp\`, and many processes together
  take more than the limit: the rows that say \`reached\`.
- **What an allowed host is told.** Path, headers and body are the agent's; below \`*.\` the names too, which the worker's resolver carries on to
  who answers for that domain. A name that no rule allows is not looked up.
- **What may be read.** \`/usr\` of the host with all that is installed, so no key belongs below it; the kernel's version, the number of
  processors, and the path of the sandbox's folder on the host (\`/proc/self/mountinfo\`).
- **What a sandbox is given.** Its run token, the repository, the ticket. An agent can send all of that over the way that was opened for it,
  to a model for example; no filter on the way understands what it says. Log, transcript, failures and results are rid of the run token, also
  in hex and base64 ([agents.md](agents.md)); in other letters, and in what an agent commits, it stays. After the lease it opens nothing.
- **Its own run.** An agent can spoil its repository so that nothing can be collected, make a file that nobody may read (then the workspace
  can't be taken out as an archive), or answer nothing at all. The run fails by it, and nothing else.
- **What is in the work.** A link that points out of the repository, a hook, a workflow, a script: it is the project's content, judged by
  its reviews. Skep runs none of it on the host; whoever checks it out and runs it does.
- **A sandbox of kind \`process\`.** It has no walls and no network of its own; the last column is what it does to its machine.`;
