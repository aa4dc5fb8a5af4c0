// Asks a model `calls` times and writes a line for each whole answer; goes on after the lines that an earlier attempt has left.
// Run as `node -e <this> <options as JSON>` in a sandbox.
'use strict';
const { appendFileSync, existsSync, mkdirSync, readFileSync } = require('node:fs');

const { calls, isPatient = false, modelIsTitle = false, headers = {}, vain = [] } = JSON.parse(process.argv[1]);
const { SKEP_GATEWAY_URL, SKEP_RUN_TOKEN, SKEP_TICKET_ID, SKEP_ATTEMPT, SKEP_TICKET, SKEP_MODEL } = process.env;
const { title } = JSON.parse(readFileSync(SKEP_TICKET, 'utf8'));
const file = `work/${SKEP_TICKET_ID}.txt`;

/** Every second answer is asked for as a stream. */
async function ask(index, fields = {}) {
  const stream = index % 2 === 1;
  const content = `${title}: attempt ${SKEP_ATTEMPT}, call ${index}. ${'Go on. '.repeat(40)}`;
  const body = {
    model: modelIsTitle ? title : SKEP_MODEL,
    stream,
    max_tokens: 800,
    messages: [{ role: 'user', content }],
    ...fields,
  };
  const answer = await fetch(`${SKEP_GATEWAY_URL}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SKEP_RUN_TOKEN}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await read(answer);
  if (answer.status !== 200) throw Object.assign(new Error(`${answer.status} ${text}`), { status: answer.status });
  const isWhole = stream ? text.endsWith('data: [DONE]\n\n') : JSON.parse(text).choices[0].finish_reason === 'stop';
  if (!isWhole) throw new Error(`an answer that is not whole: ${text.slice(-200)}`);
}

/** What breaks off is told with the words that came before. */
async function read(answer) {
  let text = '';
  try {
    for await (const bytes of answer.body) text += Buffer.from(bytes).toString();
  } catch (error) {
    throw new Error(`${error.message}: ${text.slice(-300)}`, { cause: error });
  }
  return text;
}

async function work() {
  for (const fields of vain) {
    const error = await ask(0, fields).catch(refused => refused);
    if (error?.status !== 400 && error?.status !== 404) throw new Error(`not refused: ${JSON.stringify(fields)}`);
  }
  mkdirSync('work', { recursive: true });
  let index = existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  for (let failures = 0; index < calls; ) {
    try {
      await ask(index);
      appendFileSync(file, `attempt ${SKEP_ATTEMPT}, call ${index}\n`);
      index++;
      failures = 0;
    } catch (error) {
      failures++;
      if (!isPatient || error.status === 402 || failures > 100) throw error;
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }
}

work().catch(error => {
  process.stdout.write(`${error.message}\n`);
  process.exit(3);
});
