import type { KeptTranscriptEvent } from '../../../../contract/talk/transcript.ts';
import { count } from '../../build/view/words.ts';
import type { Output } from '../../context.ts';
import { printable, styled, tamedLog, wrapped } from '../../output/text.ts';

type Style = Parameters<typeof styled>[1];

/** Of what a tool was given, and of what it answered; an agent's own words are shown whole. */
const toolLinesMax = 40;
const narrowest = 20;
const indent = '  ';

/** Events as text for people, each with its end. One after the other: a result is named after its call. */
export function createView(out: Output): (event: KeptTranscriptEvent) => string {
  const titles = new Map<string, string>();
  return event => {
    if (event.type === 'tool_call') titles.set(event.call, firstLine(event.title));
    const { words, style, body = [] } = shown(event, titles);
    const columns = out.isTerminal ? Math.max(narrowest, out.size?.()?.columns ?? Infinity) : Infinity;
    const head = wrapped(`${event.at.slice(11, 19)}Z  ${words.filter(word => word !== '').join('  ')}`, columns);
    const rest = body.flatMap(line => wrapped(line, columns - indent.length)).map(line => `${indent}${line}`.trimEnd());
    const paint = (line: string): string => (style === undefined || line === '' ? line : styled(out, style, line));
    return [...head.map(paint), ...(event.type === 'thought' ? rest.map(paint) : rest)].map(line => `${line}\n`).join('');
  };
}

interface Shown {
  readonly words: readonly string[];
  readonly style?: Style;
  readonly body?: readonly string[];
}

function shown(event: KeptTranscriptEvent, titles: ReadonlyMap<string, string>): Shown {
  switch (event.type) {
    case 'message':
      return { words: ['message'], style: 'bold', body: linesOf(event.text) };
    case 'thought':
      return { words: ['thought'], style: 'dim', body: linesOf(event.text) };
    case 'tool_call': {
      const kind = event.kind === 'other' ? 'call' : event.kind;
      const body = [...linesOf(event.title).slice(1), ...inputLines(event)];
      return { words: [kind, firstLine(event.title)], style: 'cyan', body: atMost(body) };
    }
    case 'tool_result': {
      const style = event.status === 'failed' ? 'red' : 'dim';
      return { words: [event.status, titles.get(event.call) ?? ''], style, body: atMost(linesOf(event.output)) };
    }
    case 'file_change':
      return { words: [event.change, printable(event.path)], style: changeStyles[event.change] };
    case 'usage':
      return {
        words: ['usage', `${event.input_tokens} tokens in, ${event.output_tokens} out, as the agent counts`],
        style: 'dim',
      };
    default:
      return { words: ['cut', firstLine(event.text)], style: 'yellow' };
  }
}

const changeStyles = { added: 'green', modified: 'yellow', deleted: 'red' } as const satisfies Record<string, Style>;

/** What a tool was given, field by field; not what its title says already. */
function inputLines({ input, title }: Extract<KeptTranscriptEvent, { type: 'tool_call' }>): readonly string[] {
  const given = parsed(input);
  if (given === undefined) return linesOf(input);
  return Object.entries(given).flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (text === '' || text === title || title.endsWith(` ${text}`)) return [];
    const lines = linesOf(text);
    return lines.length === 1
      ? [`${printable(name)}: ${lines[0]}`]
      : [`${printable(name)}:`, ...lines.map(line => `${indent}${line}`)];
  });
}

/** Undefined for what is no object, or was cut and so is none any more. */
function parsed(input: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(input);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Lines without what would steer a terminal; none for nothing. */
function linesOf(text: string): readonly string[] {
  const tamed = tamedLog(text.replace(/\r\n?/g, '\n').replaceAll('\t', '    ')).replace(/\u001b\[[0-9;:]*m/g, '');
  const plain = printable(tamed, { keepNewlines: true }).trimEnd();
  return plain === '' ? [] : plain.split('\n');
}

function firstLine(text: string): string {
  return linesOf(text)[0] ?? '';
}

function atMost(lines: readonly string[]): readonly string[] {
  if (lines.length <= toolLinesMax) return lines;
  return [
    ...lines.slice(0, toolLinesMax),
    `… ${count(lines.length - toolLinesMax, 'more line')}; --json shows all that was kept`,
  ];
}
