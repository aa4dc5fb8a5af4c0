import type { ServerResponse } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import type { Client } from './call/types.ts';

/** A client that takes nothing for so long is cut: what waits for it is held in memory. */
const drainMsMax = 120_000;
/** For the last words to whoever is cut. */
const lastWordsMsMax = 5_000;

/** The client of one call, by its HTTP response; `gone` is aborted when it has hung up before the end. */
export function clientOf(response: ServerResponse, clock: Clock): { client: Client; gone: AbortSignal } {
  const gone = new AbortController();
  const { socket } = response;
  // A model may think for longer than the server waits for other clients; what is still has its own limits here.
  socket?.setTimeout(0);
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  response.on('error', () => gone.abort());

  async function drained(): Promise<void> {
    const waited = new AbortController();
    const stop = (): void => waited.abort();
    response.once('drain', stop);
    response.once('close', stop);
    await clock.sleep(drainMsMax, waited.signal);
    response.off('drain', stop);
    response.off('close', stop);
    if (!waited.signal.aborted) socket?.destroy();
  }

  function cut(): void {
    if (response.writableFinished || socket === null) return;
    // Its own end is missing, so nobody takes it for whole; what was written is still sent.
    socket.setTimeout(lastWordsMsMax);
    socket.destroySoon();
  }

  const client: Client = {
    answer(status, headers, body) {
      if (response.headersSent) return cut();
      socket?.setTimeout(drainMsMax);
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
      response.end(body);
    },
    begin(headers) {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...headers });
      response.flushHeaders();
    },
    async write(bytes) {
      if (response.destroyed || response.write(bytes)) return;
      await drained();
    },
    end() {
      socket?.setTimeout(drainMsMax);
      response.end();
    },
    cut,
  };
  return { client, gone: gone.signal };
}
