import { Fault } from '../../kernel/fault.ts';
import { locateJsonFault } from '../../kernel/json.ts';

/** JSON as JSON.parse knows it (comments are errors). Throws Fault `invalid_json` that shows the line, with a caret below. */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { line, column, excerpt, reason } = locateJsonFault(text);
    throw new Fault('invalid_json', {
      message: `${name}:${line}:${column}: ${reason}\n${excerpt}`,
      facts: { line, column },
      cause,
    });
  }
}
