import type { SandboxHere } from '../../worker/index.ts';
import type { World } from '../context.ts';

type End = Awaited<ReturnType<SandboxHere['exec']>>;

interface Printer {
  readonly print: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  readonly end: (exit: End) => void;
}

/** What a command prints goes where it went; with --json each piece is a document, and the last one says how it ended. */
export function createPrinter({ out, err }: World, json: boolean): Printer {
  if (!json) {
    return {
      print: (stream, chunk) => (stream === 'stdout' ? out : err).write(chunk),
      end: exit => {
        const words = wordsOf(exit);
        if (words !== undefined) err.write(`${words}\n`);
      },
    };
  }
  const say = (document: object): void => out.write(`${JSON.stringify(document)}\n`);
  // A character may lie in two pieces.
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  return {
    print: (stream, chunk) => say({ event: 'output', stream, text: decoders[stream].decode(chunk, { stream: true }) }),
    end: exit => say({ event: 'ended', ...exit }),
  };
}

/** Of what has not ended by itself. */
function wordsOf(exit: End): string | undefined {
  switch (exit.reason) {
    case 'exited':
    case 'signaled':
      return undefined;
    case 'not_found':
      return 'There is no such program in the sandbox';
    case 'timeout':
      return 'It was ended: its time was over (--timeout)';
    case 'output_limit':
      return 'It was ended: it printed more than is passed on';
    case 'out_of_memory':
      return 'It was ended: the memory of the sandbox was used up';
    case 'workspace_full':
      return 'It was ended: the workspace is full';
    default:
      return 'It was ended with its sandbox';
  }
}
