import { z } from 'zod';
import { change as changeSchema } from '../../../contract/changes.ts';
import type { WireChange } from '../../../contract/changes.ts';
import type { Context, Output } from '../context.ts';
import { styled, tamedLog } from '../output/text.ts';

/** What changes from the base to the head, as text. It can be large. */
export function readDiff({ client }: Context, id: string): Promise<string> {
  return client.request('GET', `/api/changes/${id}/diff`, { schema: z.string(), timeoutMs: 120_000 });
}

/** Approves the head that was shown and no other: one that came meanwhile is refused. */
export function approveChange({ client }: Context, { id, head_sha }: WireChange): Promise<WireChange> {
  return client.request('POST', `/api/changes/${id}/approve`, { body: { head_sha }, schema: changeSchema });
}

/** Sends the work back; the next attempt is told why. */
export function rejectChange({ client }: Context, { id }: WireChange, reason: string): Promise<WireChange> {
  return client.request('POST', `/api/changes/${id}/reject`, { body: { reason }, schema: changeSchema });
}

/** Byte for byte where it is not for a terminal; there in colours, and without what would steer it. */
export function shownDiff(out: Output, diff: string): string {
  if (!out.isTerminal) return diff;
  return tamedLog(diff)
    .split('\n')
    .map(line => {
      if (/^(diff |index |--- |\+\+\+ )/.test(line)) return styled(out, 'bold', line);
      if (line.startsWith('@@')) return styled(out, 'cyan', line);
      if (line.startsWith('+')) return styled(out, 'green', line);
      return line.startsWith('-') ? styled(out, 'red', line) : line;
    })
    .join('\n');
}
