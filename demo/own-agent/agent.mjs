// A coding agent: it asks a model what to run, runs it, and tells it what came of that, until there is nothing more to run.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { SKEP_GATEWAY_URL: gateway, SKEP_RUN_TOKEN: token, SKEP_MODEL: model } = process.env;
const turnsMax = 50;
const parameters = { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] };
const tools = [{ type: 'function', function: { name: 'bash', description: 'Runs a line of shell', parameters } }];
const manner = `You work on a ticket in the git repository of your current folder. Run its checks before you end. Then run
skep-report submit_result --status done --summary '…'; or, where you cannot go on, skep-report report_blocker --reason '…'.`;

async function ask(messages) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ model, messages, tools });
  const answer = await fetch(`${gateway}/v1/chat/completions`, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`the model could not be asked: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).choices[0].message;
}

/** Works on a ticket; `tell` hears what is said and done. */
export async function work(ticket, tell) {
  const messages = [{ role: 'system', content: manner }];
  messages.push({ role: 'user', content: ticket });
  for (let turn = 0; turn < turnsMax; turn += 1) {
    const said = await ask(messages);
    messages.push(said);
    if (said.content) tell(said.content);
    if (!said.tool_calls?.length) return;
    for (const { id, function: call } of said.tool_calls) {
      const { command } = JSON.parse(call.arguments);
      tell(`$ ${command}`);
      const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 300_000 });
      messages.push({ role: 'tool', tool_call_id: id, content: `${stdout}${stderr}exit code ${status}`.slice(-20_000) });
    }
  }
  throw new Error(`it was not done after ${turnsMax} turns`);
}

if (import.meta.filename === process.argv[1]) await work(readFileSync(0, 'utf8'), text => process.stdout.write(`${text}\n`));
