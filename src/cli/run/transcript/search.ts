import { transcriptsPage } from '../../../../contract/talk/transcript.ts';
import type { Context } from '../../context.ts';
import { shortId } from '../../input/id.ts';
import { styled } from '../../output/text.ts';
import { findProject } from '../../project/find.ts';
import { createView } from './view.ts';

interface Wanted {
  readonly words: string;
  readonly type: string | undefined;
  readonly ticket: string | undefined;
  readonly project: string | undefined;
}

const pageRows = 200;

/** Prints what the transcripts of all runs have of these words, the newest run first; the run stands above its events. */
export async function printFound(context: Context, { words, type, ticket, project }: Wanted): Promise<void> {
  const { client, out, err, json } = context;
  const project_id = project === undefined ? undefined : (await findProject(context, project)).id;
  let view = createView(out);
  let last: string | undefined;
  let after: string | undefined;
  let searched = 0;
  do {
    const query = { q: words, type, ticket_id: ticket, project_id, after, limit: pageRows };
    const page = await client.request('GET', '/api/transcripts', { query, schema: transcriptsPage });
    for (const each of page.found) {
      if (each.run_id !== last && !json) {
        view = createView(out);
        out.write(`${styled(out, 'bold', `run ${shortId(each.run_id)}  ${each.ticket_id ?? ''} attempt ${each.attempt}`)}\n`);
      }
      last = each.run_id;
      out.write(json ? `${JSON.stringify(each)}\n` : view(each.event));
    }
    searched += page.runs_searched;
    after = page.next ?? undefined;
  } while (after !== undefined);
  if (last === undefined && !json) err.write(`Nothing like that was found in ${searched} ${searched === 1 ? 'run' : 'runs'}.\n`);
}
