import {
  callIdCharactersMax,
  callTitleCharactersMax,
  changedPathCharactersMax,
  transcriptTextCharactersMax,
} from '../../../../contract/talk/transcript.ts';
import type { TranscriptEvent } from '../../../../contract/talk/transcript.ts';
import { storable } from '../../../kernel/json.ts';
import type { SessionUpdate } from '../../agent.ts';
import { workPath } from '../../sandbox.ts';

/** What an agent has told, as an event of the transcript; undefined where it says nothing. */
export function eventOf(update: SessionUpdate, at: string): TranscriptEvent | undefined {
  switch (update.sessionUpdate) {
    case 'agent_message_chunk':
      return update.text.trim() === '' ? undefined : { type: 'message', at, text: bounded(update.text) };
    case 'agent_thought_chunk':
      return update.text.trim() === '' ? undefined : { type: 'thought', at, text: bounded(update.text) };
    case 'tool_call': {
      const { kind, title, input } = update;
      return {
        type: 'tool_call',
        at,
        call: callOf(update),
        kind,
        title: bounded(title, callTitleCharactersMax),
        input: inputText(input),
      };
    }
    case 'tool_call_update':
      return { type: 'tool_result', at, call: callOf(update), status: update.status, output: bounded(update.output) };
    case 'file_change': {
      const path = bounded(inRepository(update.path), changedPathCharactersMax);
      const call = update.toolCallId === undefined ? null : callOf({ toolCallId: update.toolCallId });
      return path === '' ? undefined : { type: 'file_change', at, path, change: update.change, call };
    }
    default: {
      const { inputTokens, outputTokens } = update;
      const used = { input_tokens: whole(inputTokens), output_tokens: whole(outputTokens) };
      return used.input_tokens + used.output_tokens === 0 ? undefined : { type: 'usage', at, ...used };
    }
  }
}

/** As an agent counts, which may be anything. */
function whole(count: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(count)));
}

function callOf({ toolCallId }: { readonly toolCallId: string }): string {
  return storable(toolCallId.slice(0, callIdCharactersMax));
}

function inputText(input: unknown): string {
  return input === undefined || input === null ? '' : bounded(JSON.stringify(input));
}

/** Agents name files from the root of the sandbox. */
function inRepository(path: string): string {
  return path.startsWith(`${workPath}/`) ? path.slice(workPath.length + 1) : path;
}

/** What a text may be long; what is cut is counted where it ended. */
export function bounded(text: string, charactersMax = transcriptTextCharactersMax): string {
  if (text.length <= charactersMax) return storable(text);
  const kept = text.slice(0, charactersMax - markCharactersMax);
  // Not between the halves of one character.
  const whole = /[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept;
  return `${storable(whole)}… [${text.length - whole.length} more characters were not kept]`;
}

const markCharactersMax = 60;
