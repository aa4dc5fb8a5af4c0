import type { SessionUpdate } from '../agent.ts';
import { plainText } from './checks/plain-text.ts';

/** What an agent does, as lines for the log of its run. Empty where there is nothing to show. */
export function linesOf(update: SessionUpdate): string {
  switch (update.sessionUpdate) {
    case 'agent_message_chunk':
      return paragraph(update.text, { linesMax: messageLinesMax, indent: '' });
    case 'agent_thought_chunk':
      return paragraph(update.text, { linesMax: thoughtLinesMax, indent: '· ' });
    case 'tool_call':
      return paragraph(titleOf(update), { linesMax: titleLinesMax, indent: update.kind === 'execute' ? '$ ' : '> ' });
    case 'tool_call_update': {
      const output = paragraph(update.isQuiet === true ? '' : update.output, { linesMax: outputLinesMax, indent: '  ' });
      return update.status === 'failed' && output === '' ? '  failed\n' : output;
    }
    // Its call is told already.
    case 'file_change':
      return '';
    default:
      if (update.inputTokens + update.outputTokens === 0) return '';
      return `(${update.inputTokens} tokens in, ${update.outputTokens} out, as the agent counts)\n`;
  }
}

/** Of a tool that nothing else is known of, what it was given says the most. */
function titleOf({ kind, title, input }: Extract<SessionUpdate, { sessionUpdate: 'tool_call' }>): string {
  return kind === 'other' && input !== undefined ? `${title} ${JSON.stringify(input)}` : title;
}

// Enough to follow the work; a whole test log belongs to the checks.
const messageLinesMax = 200;
const thoughtLinesMax = 6;
const titleLinesMax = 12;
const outputLinesMax = 20;
const lineCharactersMax = 500;
/** Of what one update says, before it is cut into lines. */
const charactersMax = 65_536;

function paragraph(text: string, { linesMax, indent }: { linesMax: number; indent: string }): string {
  const all = plainText(text.slice(0, charactersMax)).trimEnd().split('\n');
  if (all.length === 1 && all[0]?.trim() === '') return '';
  const more = indent.replace(/\S/g, ' ');
  const shown = all.slice(0, linesMax).map((line, i) => `${i === 0 ? indent : more}${short(line)}\n`);
  const left = all.length - shown.length;
  return `${shown.join('')}${left === 0 ? '' : `${more}… ${left} more ${left === 1 ? 'line' : 'lines'}\n`}`;
}

function short(line: string): string {
  return line.length <= lineCharactersMax ? line : `${line.slice(0, lineCharactersMax)}…`;
}
