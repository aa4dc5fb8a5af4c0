// Its first attempt calls on and on, with a stream beside it, and says that it is done once it is refused; the next one is honest.
// Run as `node -e <this>` in a sandbox.
'use strict';
const { writeFileSync } = require('node:fs');

const { SKEP_GATEWAY_URL, SKEP_RUN_TOKEN, SKEP_ATTEMPT, SKEP_MODEL } = process.env;

/** The token is in the words too: so those who play the model know it. */
async function ask(stream) {
  const messages = [{ role: 'user', content: `attempt ${SKEP_ATTEMPT} with ${SKEP_RUN_TOKEN}` }];
  const answer = await fetch(`${SKEP_GATEWAY_URL}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SKEP_RUN_TOKEN}` },
    body: JSON.stringify({ model: SKEP_MODEL, stream, max_tokens: 800, messages }),
  });
  await answer.text();
  return answer.status;
}

async function haunt() {
  writeFileSync('zombie.txt', 'work of the first attempt\n');
  const stream = ask(true).catch(() => {});
  while ((await ask(false).catch(() => 0)) === 200) await new Promise(resolve => setTimeout(resolve, 50));
  await stream;
}

if (SKEP_ATTEMPT === '1') void haunt().finally(() => process.exit(0));
else writeFileSync('honest.txt', `work of attempt ${SKEP_ATTEMPT}\n`);
