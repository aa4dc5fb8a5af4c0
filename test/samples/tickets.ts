import type { SpecCardInput } from '../../contract/spec-card.ts';
import type { SampleName } from './repositories.ts';

type Feature = SpecCardInput['features'][number];
type Verb = 'write' | 'append' | `line ${number}`;

/** What the agent `honest` does to a file: the path with its verb before it, and the text. `line 3 a.md` replaces the third line. */
type Steps = Readonly<Record<`${Verb} ${string}`, string>>;

/** A feature whose description holds its own work as fenced blocks, so that a script can do what a model would be asked to. */
export function feature(title: string, steps: Steps, needs: readonly string[] = []): Feature {
  const blocks = Object.entries(steps).map(([step, text]) => `\`\`\`${step}\n${text}\n\`\`\``);
  return {
    title,
    description: [`${title}.`, ...blocks].join('\n\n'),
    acceptance_criteria: ['its own test passes', 'all other tests still pass'],
    depends_on: [...needs],
  };
}

/** Two features that do not wait for each other and write the same line: whichever is merged second meets a conflict. */
export function rivals(path: string): SpecCardInput {
  const [left, right] = ['Name the left bank', 'Name the right bank'];
  return card('Two banks', [
    feature(left, { [`line 1 ${path}`]: 'left bank' }),
    feature(right, { [`line 1 ${path}`]: 'right bank' }),
  ]);
}

/** Small true features of a sample, each with a test; those of `eyes` would be fine, but its own tests are red. */
export function sampleCard(name: SampleName): SpecCardInput {
  return card(name, features[name]);
}

function card(name: string, list: Feature[]): SpecCardInput {
  return { name, description: `Features for ${name}`, features: list };
}

/** A test in tape; what the samples are tested by. */
const tape = (title: string, ...asserts: string[]) =>
  [`require('tape')('${title}', function (t) {`, ...asserts.map(line => `  ${line};`), '  t.end();', '});'].join('\n');

const unittest = (module: string, name: string, assert: string) =>
  [
    'import unittest',
    `from gyp.${module} import ${name}`,
    '',
    '',
    `class Test_${name}(unittest.TestCase):`,
    `    def test_${name}(self):`,
    `        ${assert}`,
    '',
    '',
    'if __name__ == "__main__":',
    '    unittest.main()',
  ].join('\n');

const features: Readonly<Record<SampleName, Feature[]>> = {
  // Two independent ones and one that builds on both; each has a test file of its own.
  'json-stable-stringify': [
    feature('Compare by stable text', {
      'write equal.js': "var stringify = require('./');\nmodule.exports = (a, b) => stringify(a) === stringify(b);",
      'write test/equal.js': tape('equal', "var equal = require('../equal.js')", 't.ok(equal({ a: 1, b: 2 }, { b: 2, a: 1 }))'),
    }),
    feature('Hash a value', {
      'write hash.js':
        "var stringify = require('./');\nmodule.exports = v => require('crypto').createHash('sha256').update(stringify(v)).digest('hex');",
      'write test/hash.js': tape('hash', "t.equal(require('../hash.js')({ b: 1, a: 2 }).length, 64)"),
    }),
    feature(
      'Find duplicates',
      {
        'write duplicates.js':
          "var equal = require('./equal.js');\nvar hash = require('./hash.js');\nmodule.exports = list => list.filter((a, i) => list.some((b, j) => j < i && hash(a) === hash(b) && equal(a, b)));",
        'write test/duplicates.js': tape(
          'duplicates',
          "t.deepEqual(require('../duplicates.js')([{ a: 1 }, { b: 1 }, { a: 1 }]), [{ a: 1 }])",
        ),
      },
      ['Compare by stable text', 'Hash a value'],
    ),
  ],
  'deep-equal': [
    feature('Find in a list', {
      'write includes.js': "var equal = require('./');\nmodule.exports = (list, value) => list.some(each => equal(each, value));",
      'write test/includes.js': tape('includes', "t.ok(require('../includes.js')([1, { a: 2 }], { a: 2 }))"),
    }),
    feature('Count in a list', {
      'write count.js':
        "var equal = require('./');\nmodule.exports = (list, value) => list.filter(each => equal(each, value)).length;",
      'write test/count.js': tape('count', "t.equal(require('../count.js')([{ a: 2 }, 1, { a: 2 }], { a: 2 }), 2)"),
    }),
    feature(
      'Drop what is equal',
      {
        'write unique.js':
          "var includes = require('./includes.js');\nmodule.exports = list => list.filter((each, i) => !includes(list.slice(0, i), each));",
        'write test/unique.js': tape('unique', "t.deepEqual(require('../unique.js')([[1], [2], [1]]), [[1], [2]])"),
      },
      ['Find in a list'],
    ),
  ],
  // One test file only, so that these change a test that was there; the second waits for the first or would conflict with it.
  xtend: [
    feature('Take some keys', {
      'write pick.js': 'module.exports = (source, keys) => Object.fromEntries(keys.map(key => [key, source[key]]));',
      'append test.js': tape('pick', "t.deepEqual(require('./pick')({ a: 1, b: 2 }, ['a']), { a: 1 })"),
    }),
    feature(
      'Leave out some keys',
      {
        'write omit.js':
          "var pick = require('./pick');\nmodule.exports = (source, keys) => pick(source, Object.keys(source).filter(key => !keys.includes(key)));",
        'append test.js': tape('omit', "t.deepEqual(require('./omit')({ a: 1, b: 2 }, ['a']), { b: 2 })"),
      },
      ['Take some keys'],
    ),
  ],
  'abstract-logging': [
    feature('List the levels', {
      'write levels.js': "module.exports = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'];",
      'append test.js': "require('assert').ok(require('./levels').every(level => typeof require('./')[level] === 'function'));",
    }),
    feature(
      'Order two levels',
      {
        'write order.js':
          "const levels = require('./levels');\nmodule.exports = (a, b) => levels.indexOf(a) - levels.indexOf(b);",
        'append test.js': "require('assert').ok(require('./order')('fatal', 'info') < 0);",
      },
      ['List the levels'],
    ),
  ],
  'type-component': [
    feature('Ask for a type', {
      'write is.js': "var type = require('./');\nmodule.exports = (name, value) => type(value) === name;",
      'append test/type.js': "assert('boolean', require('../is')('date', new Date()));",
    }),
    feature(
      'Ask for one of several types',
      {
        'write any.js': "var is = require('./is');\nmodule.exports = (names, value) => names.some(name => is(name, value));",
        'append test/type.js': "if (!require('../any')(['null', 'array'], [])) throw new Error('any');",
      },
      ['Ask for a type'],
    ),
  ],
  gyp: [
    feature('Sort names as people do', {
      'write pylib/gyp/natural.py':
        'import re\n\n\ndef natural_key(name):\n    return [int(p) if p.isdigit() else p for p in re.split(r"(\\d+)", name)]',
      'write pylib/gyp/natural_test.py': unittest(
        'natural',
        'natural_key',
        'self.assertEqual(sorted(["a10", "a9"], key=natural_key), ["a9", "a10"])',
      ),
    }),
    feature('Tell how deep a path is', {
      'write pylib/gyp/depth.py': 'def depth(path):\n    return len([p for p in path.split("/") if p not in ("", ".")])',
      'write pylib/gyp/depth_test.py': unittest('depth', 'depth', 'self.assertEqual(depth("./a//b/c"), 3)'),
    }),
    feature(
      'Sort paths from the top down',
      {
        'write pylib/gyp/top_down.py':
          'from gyp.depth import depth\nfrom gyp.natural import natural_key\n\n\ndef top_down(paths):\n    return sorted(paths, key=lambda p: (depth(p), natural_key(p)))',
        'write pylib/gyp/top_down_test.py': unittest(
          'top_down',
          'top_down',
          'self.assertEqual(top_down(["a/b", "a10", "a9"]), ["a9", "a10", "a/b"])',
        ),
      },
      ['Sort names as people do', 'Tell how deep a path is'],
    ),
  ],
  eyes: [feature('Say what it is for', { 'write PURPOSE.md': 'Looks into values.' })],
};
