import { describe, expect, it } from 'vitest';
import { createSpeech } from './speech.ts';
import type { Word } from './starter.ts';

const token = 'skep-one-0123456789abcdef';

function listen(outputBytesMax = 1_000) {
  const heard = { stdout: '', stderr: '', said: [] as Word[], limits: 0 };
  const speech = createSpeech({
    token,
    command: {
      ...{ argv: ['true'], timeoutMs: 1_000, outputBytesMax },
      onOutput: (stream, chunk) => void (heard[stream] += chunk.toString()),
    },
    onWord: word => void heard.said.push(word),
    onLimit: () => void (heard.limits += 1),
    onError: error => {
      throw error;
    },
  });
  return { heard, speech };
}

describe('what comes from a starter and its command', () => {
  const text = `engine: a warning\n${token} hello\n${token} ready\nfirst ${token} second\nthird\n${token} memory\nlast`;

  it.each([1, 2, 3, 7, 26, 31, 1_000])('is told apart in chunks of %d bytes', size => {
    const { heard, speech } = listen();
    for (let at = 0; at < text.length; at += size) speech.hear('stderr', Buffer.from(text.slice(at, at + size)));
    speech.end();
    expect(heard).toMatchObject({ said: ['hello', 'ready', 'memory'], stderr: `first ${token} second\nthird\nlast` });
    expect(speech.engineWords()).toBe('engine: a warning');
  });

  it('is handed on before the end, but for what may be the beginning of a word', () => {
    const { heard, speech } = listen();
    speech.hear('stderr', Buffer.from(`${token} ready\nout skep-one-01`));
    expect(heard.stderr).toBe('out ');
    speech.hear('stderr', Buffer.from('x'));
    expect(heard.stderr).toBe('out skep-one-01x');
  });

  it('is cut at the limit, both streams together, once', () => {
    const { heard, speech } = listen(10);
    speech.hear('stdout', Buffer.from('12345'));
    speech.hear('stderr', Buffer.from(`${token} ready\n67890`));
    expect(heard.limits).toBe(0);
    speech.hear('stderr', Buffer.from('1'));
    speech.hear('stdout', Buffer.from('2'));
    expect(heard).toMatchObject({ stdout: '12345', stderr: '67890', limits: 1 });
  });

  it('keeps a bounded part of what an engine says', () => {
    const { heard, speech } = listen();
    for (let i = 0; i < 100; i += 1) speech.hear('stderr', Buffer.alloc(1_000, 'x'));
    expect(speech.engineWords()).toHaveLength(16 * 1_024);
    expect(heard.stderr).toBe('');
  });
});
