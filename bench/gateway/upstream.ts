import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chunkMs, chunks, now } from './beat.ts';

/**
 * A provider in a process of its own that answers every request with a stream of chunks at an even pace, each with the time at which
 * it was sent. `?open` as the prompt: one chunk, and then nothing until the client leaves.
 */
const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => (body += part));
  request.on('end', () => {
    const isOpen = body.includes('?open');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let sent = 0;
    const beat = (): void => {
      if (response.destroyed) return;
      response.write(chunk({ content: `${now()} ` }, null));
      if (isOpen) return;
      if (++sent < chunks) setTimeout(beat, chunkMs);
      else {
        const usage = { prompt_tokens: 20, completion_tokens: chunks, total_tokens: 20 + chunks };
        response.end(`${chunk({}, 'stop')}data: ${JSON.stringify({ ...head, choices: [], usage })}\n\ndata: [DONE]\n\n`);
      }
    };
    beat();
  });
});

const head = { id: 'bench', object: 'chat.completion.chunk', created: 0, model: 'paced' };

function chunk(delta: object, finish_reason: string | null): string {
  return `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
}

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
