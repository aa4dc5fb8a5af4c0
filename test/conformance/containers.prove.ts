// The whole suite on every provider, with what takes too long on all of them for each change.
import './thorough.ts';
import './containers.test.ts';
import './ending.test.ts';
import './files.test.ts';
import './kept.test.ts';
import './links.test.ts';
import './orphans.test.ts';
import './refusals.test.ts';
import './sandbox.test.ts';
