/**
 * What CI does with the sandboxes that are quick, with all the others: containers, and plain processes. The suites are loaded when it is
 * known with which.
 */
process.env['SKEP_TEST_CONTAINED'] = 'others';

for (const suite of ['outside', 'lasting', 'bombs', 'reading', 'trapping', 'archives']) await import(`./${suite}.test.ts`);

export {};
