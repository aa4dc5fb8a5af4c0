import { request } from 'node:http';
import { text } from 'node:stream/consumers';

// `skep-report TOOL …`: how an agent without MCP, or a script, reports. What the tool answers is printed.

const usage = `Usage: skep-report TOOL [--NAME VALUE …]    each option is a field; a list takes its option several times
       skep-report TOOL --json JSON         all fields as one JSON object; - is stdin

  skep-report get_context
  skep-report submit_result --status done --summary 'What was done, and how it was checked'
  skep-report report_blocker --reason 'What stands in the way, and what would clear it'
  skep-report ask_human --question 'Which one?' --options 'This' --options 'That' --default 'This'
  skep-report save_memory --kind discovery --text 'What cost time to find out'
`;

/** Fields that are lists also where there is one of them. */
const lists: ReadonlySet<string> = new Set(['files', 'options']);

/** Wrong use; the tool said no; it could not be reached. */
const exitCodes = { usage: 2, refused: 1, unreachable: 3 };

const [tool = '', ...rest] = process.argv.slice(2);
const { SKEP_GATEWAY_URL: gateway, SKEP_RUN_TOKEN: token } = process.env;
if (!/^[a-z][a-z_-]*$/.test(tool)) end(exitCodes.usage, usage);
if (gateway === undefined || token === undefined)
  end(exitCodes.usage, 'skep-report works inside a run of Skep whose agent has a model: SKEP_GATEWAY_URL is not set\n');
await report(`${gateway}/report/${tool.replaceAll('-', '_')}`, JSON.stringify(await fieldsOf(rest)));

// Not fetch: that gives up after 5 minutes, and a person may take longer to answer.
async function report(url: string, body: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await new Promise<{ status: number; said: string }>((resolve, reject) => {
    const call = request(url, { method: 'POST', headers }, response => {
      text(response).then(said => resolve({ status: response.statusCode ?? 0, said }), reject);
    });
    call.once('error', reject);
    call.end(body);
  }).catch((error: unknown) => end(exitCodes.unreachable, `The gateway does not answer: ${String(error)}\n`));
  // While a person is waited for, blanks come; a refusal that comes after those is no other status any more.
  const said = `${answer.said.trim()}\n`;
  if (answer.status < 200 || answer.status > 299 || said.startsWith('{"error":')) end(exitCodes.refused, said);
  process.stdout.write(said);
}

async function fieldsOf(words: readonly string[]): Promise<object> {
  const fields: Record<string, string | string[]> = {};
  for (let i = 0; i < words.length; ) {
    const [, name, joined] = /^--([A-Za-z][\w-]*)(?:=([^]*))?$/.exec(words[i] ?? '') ?? [];
    const value = joined ?? words[i + 1];
    if (name === undefined || value === undefined) end(exitCodes.usage, `'${words[i] ?? ''}' is not understood\n\n${usage}`);
    i += joined === undefined ? 2 : 1;
    if (name === 'json') return parsed(value === '-' ? await text(process.stdin) : value);
    const key = name.replaceAll('-', '_');
    const before = fields[key];
    if (before === undefined) fields[key] = lists.has(key) ? [value] : value;
    else fields[key] = [before, value].flat();
  }
  return fields;
}

function parsed(json: string): object {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, as for a value that is no object.
  }
  return end(exitCodes.usage, `This is no JSON object: ${json.slice(0, 200)}\n\n${usage}`);
}

function end(code: number, words: string): never {
  process.stderr.write(words);
  process.exit(code);
}
