import { recordedLabel } from '../../build/recorded.ts';
import { duration } from '../../build/view/words.ts';
import { printable, styled, tamedLog } from '../../output/text.ts';
import type { World } from '../../world.ts';
import type { Step } from './timeline.ts';
import type { Verdict } from './verdict.ts';

/** What is told of a try while it goes on, and at its end. */
export interface Report {
  begin(about: About): void;
  step(step: Step): void;
  /** What the agent wrote. */
  wrote(text: string): void;
  verdict(verdict: Verdict, totalMs: number): void;
}

interface About {
  readonly kind: string;
  readonly what: string;
  readonly isRecorded: boolean;
}

export function createReport({ out }: World, json: boolean): Report {
  return json ? documents(out) : lines(out);
}

const label = `RECORDED, a ${recordedLabel}: no model is asked, and nothing is paid`;

function lines(out: World['out']): Report {
  let rest = '';
  const flush = (text: string): void => {
    for (const line of text.split('\n')) if (line !== '') out.write(`          ${styled(out, 'dim', `| ${line}`)}\n`);
  };
  return {
    begin({ what, isRecorded }) {
      out.write(`${styled(out, 'bold', `Trying ${what}`)}${isRecorded ? ` (${label})` : ''}\n`);
    },
    step({ name, ms }) {
      if (rest !== '') flush(rest);
      rest = '';
      out.write(`${duration(ms).padStart(8)}  ${printable(name)}\n`);
    },
    wrote(text) {
      const all = `${rest}${tamedLog(text).replaceAll('\r', '\n')}`;
      const last = all.lastIndexOf('\n') + 1;
      flush(all.slice(0, last));
      rest = all.slice(last);
    },
    verdict({ ok, says, hint, files, checks }, totalMs) {
      const [word, colour] = ok ? (['ok', 'green'] as const) : (['no', 'red'] as const);
      if (files.length > 0) out.write(`changed   ${files.map(file => printable(file)).join(', ')}\n`);
      for (const check of checks) out.write(`check     ${printable(check)}\n`);
      out.write(`${styled(out, colour, word)}        ${printable(says, { keepNewlines: true })} (${duration(totalMs)})\n`);
      if (hint !== undefined) out.write(`hint      ${hint}\n`);
    },
  };
}

function documents(out: World['out']): Report {
  const write = (document: object): void => out.write(`${JSON.stringify(document)}\n`);
  return {
    begin: ({ kind, what, isRecorded }) =>
      write({ event: 'try', kind, what, recorded: isRecorded, ...(isRecorded ? { label } : {}) }),
    step: ({ name, ms }) => write({ event: 'step', name, ms: Math.round(ms) }),
    wrote: text => write({ event: 'output', text }),
    verdict: ({ hint = null, ...verdict }, totalMs) => write({ event: 'verdict', ...verdict, hint, ms: Math.round(totalMs) }),
  };
}
