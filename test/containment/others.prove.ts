/**
 * What CI does with the sandboxes that are quick, with all the others: containers, also those of the engines that CI leaves out, and plain
 * processes. The suites are loaded when it is known with which.
 */
process.env['SKEP_CONFORMANCE'] = 'thorough';
process.env['SKEP_TEST_CONTAINED'] = 'others';

for (const suite of ['hostile', 'outside', 'lasting', 'bombs', 'reading', 'trapping', 'archives', 'poison'])
  await import(`./${suite}.test.ts`);

export {};
