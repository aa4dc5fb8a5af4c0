import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkFileNames, checkTypeNames } from './checks/names.ts';
import { paths, sources } from './repo.ts';

describe('names', () => {
  it.each([
    'class TicketService {}',
    'interface LeaseManager {}',
    'type PathUtils = 1',
    'class BaseStore {}',
    'class RunImpl {}',
    'interface IClock {}',
    'class Helper {}',
  ])('refuses %s', text => {
    expect(checkTypeNames([{ path: 'src/a.ts', text }])).toHaveLength(1);
  });

  it('lets a word be part of a name that says more', () => {
    expect(
      checkTypeNames([{ path: 'src/a.ts', text: 'interface ServiceAccount {}\ntype Baseline = 1;\nclass Issue {}' }]),
    ).toEqual([]);
  });

  it.each([
    'src/lib/a.ts',
    'src/common/a.ts',
    'src/stages/runs/helpers.ts',
    'src/utils.ts',
    'src/lease-manager.ts',
    'src/ticket.service.ts',
    'src/runQueue.ts',
  ])('refuses %s', path => {
    expect(checkFileNames([path])).toHaveLength(1);
  });

  it.each([
    'src/stages/runs/claim.sql.ts',
    'src/worker/sandbox.ts',
    'src/db/baseline.ts',
    'contract/spec-card.ts',
    'src/kernel/clock.test.ts',
  ])('lets %s', path => {
    expect(checkFileNames([path])).toEqual([]);
  });

  it('finds nothing here', () => {
    expect(show(checkTypeNames(sources(/^(src|contract|test|tidy|bench|dashboard)\/.*[.]tsx?$/)))).toEqual([]);
    expect(show(checkFileNames(paths.filter(path => /^(src|contract|test|tidy|bench)\/.*[.]ts$/.test(path))))).toEqual([]);
  });
});
