// Before the suites are loaded: also what takes long.
process.env['SKEP_CONFORMANCE'] = 'thorough';
