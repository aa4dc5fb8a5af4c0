/** Lines of an agent that has the dependencies before it, and is to spoil what another run begins with. None may stop the next. */
const file = 'node_modules/left-pad/index.js';

export const poisons: Readonly<Record<string, readonly string[]>> = {
  'write over a file of the dependencies': [`echo evil > ${file}`],
  'add to a file of the dependencies, cut it, and punch a hole in it': [
    `echo evil >> ${file}; truncate -s 3 generated.txt; fallocate --punch-hole --offset 0 --length 2 node_modules/large || dd if=/dev/zero of=node_modules/large bs=4096 count=1 conv=notrunc`,
  ],
  'put another file in the place of one': [`echo evil > evil; mv -f evil ${file}`],
  'write by a second name of a file': [`ln ${file} second; echo evil > second; ln node_modules/large third; echo evil > third`],
  'put a link to a file of its own in the place of one': [`echo evil > evil; ln -sf ../../evil ${file}`],
  'put a folder in the place of one, and another name before it': [
    'mv node_modules/left-pad node_modules/a; mkdir node_modules/left-pad; echo evil > node_modules/left-pad/index.js',
    'mv node_modules old; mkdir node_modules; mv old/* node_modules',
  ],
  'add a package, and a program that others would start': [
    'mkdir -p node_modules/evil; echo evil > node_modules/evil/index.js; printf "#!/bin/sh\\necho evil" > node_modules/.bin/evil',
    'chmod 755 node_modules/.bin/evil; cp node_modules/.bin/evil node_modules/.bin/left-pad',
  ],
  'remove all of them, and make them everybody’s': ['chmod -R 777 node_modules; rm -rf node_modules/left-pad generated.txt'],
  'change what is tracked, and the objects of git, where many runs begin with one check-out': [
    'echo evil > tracked.txt; mkdir -p .git/hooks; printf "#!/bin/sh\\ntouch ran" > .git/hooks/post-checkout; chmod 755 .git/hooks/post-checkout',
    'find .git/objects -type f | xargs chmod u+w; find .git/objects -type f | while read -r each; do echo evil > "$each.evil"; done',
  ],
  'change the manifest and the script that sets up, and commit both': [
    'echo "{\\"evil\\":1}" > package.json; printf "#!/bin/sh\\nmkdir -p node_modules/left-pad; echo evil > node_modules/left-pad/index.js" > install.sh',
  ],
  'change what the script that sets up reads, and commit that': ['echo evil > install-data.txt'],
  'all of that, and then another worker': [
    `echo evil > ${file}; echo evil > node_modules/evil; chmod 777 node_modules; ln node_modules/large third; echo evil > third`,
  ],
  'leave files where caches are: its home, /tmp, /dev/shm, the folder of a conversation': [
    'for at in "$HOME" "$HOME/.cache" "$HOME/.npm" /tmp /dev/shm /kept; do mkdir -p "$at" && echo evil > "$at/evil"; done 2> /dev/null; true',
    'printf "prefix=/tmp\\n" > "$HOME/.npmrc"; printf "[core]\\nfsmonitor=/tmp/evil\\n" > "$HOME/.gitconfig"',
  ],
  'write the tools that every sandbox is shown, and the copy of the repository': [
    'for at in "$(command -v node)" /skep /skep/node /skep/repository.git /skep/repository.git/HEAD /skep/repository.git/objects /usr /usr/local/bin /bin/sh; do',
    '  { echo evil > "$at" || echo evil > "$at/evil" || mv "$at" "$at.evil" || ln -f tracked.txt "$at"; } 2> /dev/null && echo "$at" >> written',
    'done; test ! -e written',
  ],
};

/** All that a run begins with, as text: names, kinds, rights, ends of links, and content. `emptied` is what no sandbox finds anything in. */
export const look = (emptied: readonly string[]): readonly string[] => [
  'echo begin',
  'find . -path ./.git -prune -o -mindepth 1 -printf "%P %y %m %s %l\\n" | grep -v -E "^(look|work)-|^lost[+]found" | sort',
  'find . -path ./.git -prune -o -type f -print | grep -v -E "/(look|work)-" | sort | xargs sha256sum',
  `ls -A ${emptied.join(' ')} .git/hooks 2>&1; ls -A /kept 2>&1; git fsck 2>&1; git status --porcelain; git log --format=%H`,
  'find /skep -maxdepth 3 -printf "%p %s\\n" 2> /dev/null | grep -v -E "gateway|[.]git" | sort; node_modules/.bin/left-pad 2>&1',
  'echo end',
];

/** What a setup leaves, and what a run is to make of it: it prints \`inside\`. */
export const left: Readonly<Record<string, { readonly setup: string; readonly lines: readonly string[] }>> = {
  'what a setup leaves is a link to a file of the host': {
    setup: 'ln -s "$SECRET" node_modules/out; ln -s /etc/shadow node_modules/shadow; ln -s /proc/1/root node_modules/root',
    lines: ['cat node_modules/out node_modules/shadow node_modules/root/etc/shadow 2> /dev/null || echo inside'],
  },
  'what a setup leaves is a link to a folder above it': {
    setup: 'ln -s ../../../../../../.. node_modules/up; ln -s / node_modules/top',
    lines: [
      '{ echo evil > node_modules/up/evil; echo evil > "node_modules/top$PWD/below"; } 2> /dev/null',
      'test -e /evil || cat below | sed s/evil/inside/',
    ],
  },
  'what a setup leaves is a second name of a tracked file': {
    setup: 'ln tracked.txt node_modules/second',
    lines: ['echo evil > node_modules/second; grep -q committed tracked.txt && echo inside'],
  },
  'what a setup leaves has the name of a tracked folder, and leads elsewhere': {
    setup: 'mkdir node_modules/x; mv packages node_modules/x; ln -s node_modules/x/packages packages',
    lines: ['test ! -L packages && grep -q 1 packages/one/index.js && git status --porcelain | grep -v work- || echo inside'],
  },
  'what a setup leaves is a named pipe, a socket, and names that are options and terminal codes': {
    setup:
      'mkfifo node_modules/pipe; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'node_modules/s\')" || true; touch -- "node_modules/--force" "node_modules/-rf" "$(printf "node_modules/\\033[2J")"',
    lines: ['test -p node_modules/pipe && ls node_modules | grep -q -e --force && echo inside'],
  },
};
