import { isFault } from '../../../../src/kernel/fault.ts';
import { specCard, type SpecCard } from '../../../../contract/spec-card.ts';
import type { Dice } from '../dice.ts';
import type { Look } from '../look.ts';
import type { World } from '../parts.ts';
import { createProcess } from '../process.ts';
import type { Commit, Snapshot } from '../../oracle/types.ts';
import { type Ask, clicks } from './clicks.ts';
import { hasty } from './hasty.ts';
import type { Stranger } from './stranger.ts';

/** Those who want something built, and who watch it. */
export interface People {
  /** Opens the sessions and tickets of the seed, and does whatever comes to mind from then on. */
  begin(): void;
  /** What they follow in the log. */
  readonly saw: (commit: Commit, now: Snapshot) => void;
}

const patienceMs = 8_000;

/** Every so many milliseconds they look at what waits for them. */
const lookMs = 500;

interface PeopleParts {
  readonly world: World;
  readonly look: Look;
  readonly projectId: string;
  readonly stranger: Stranger;
}

export function createPeople({ world, look, projectId, stranger }: PeopleParts): People {
  const dice = world.dice.of('people');
  // Nobody kills a person.
  const person = createProcess(world.scheduler, 0);
  const { tickets, files } = world.options;
  /** As `skep build` does it; else they look now and then. */
  const isSwift = dice.of('swift').chance(0.7);
  const wanted = planOf(dice.of('plan'), { tickets, files });

  const ask: Ask = async verb => {
    try {
      await world.network.call({ from: person, to: world.serverOf(dice.between(0, 9)), timeoutMs: patienceMs }, verb);
      return 'done';
    } catch (error) {
      return isFault(error) && !error.kind.retry ? 'refused' : 'unheard';
    }
  };

  /** Some click twice, on two servers at once. */
  const askHard: Ask = async verb => {
    if (!dice.chance(world.options.faults.people * 0.5) || !world.isFaulty()) return ask(verb);
    world.strikes.count('people');
    const answers = await Promise.all([ask(verb), ask(verb)]);
    return answers.find(answer => answer === 'done') ?? answers[0];
  };

  const act = clicks({ world, dice, look, ask, askHard, card: wanted.cards[0], stranger });

  async function open(card: SpecCard): Promise<void> {
    await person.clock.sleep(dice.between(0, 400));
    while ((await ask(server => server.openSession(projectId, card))) === 'unheard') await person.clock.sleep(300);
    if (!isSwift) return;
    // Approved, and built.
    await act.tendSessions();
    await act.tendSessions();
  }

  async function openAlone(title: string, paths: readonly string[]): Promise<void> {
    await person.clock.sleep(dice.between(0, 1_500));
    const plain = { description: '', acceptanceCriteria: [], dependsOn: [], priority: dice.between(0, 3), estimate: null };
    const ticket = { ...plain, projectId, type: 'task' as const, title, files: paths };
    while ((await ask(server => server.openTicket(ticket))) === 'unheard') await person.clock.sleep(300);
  }

  /** What waits for a person, again and again: approved, built, answered, looked at. */
  async function tend(): Promise<void> {
    for (;;) {
      await person.clock.sleep(dice.between(lookMs / 2, lookMs));
      if (world.isFaulty()) await act.whileFaulty();
      else await act.whenCalm();
    }
  }

  return {
    begin() {
      for (const card of wanted.cards) void open(card);
      for (const [i, paths] of wanted.alone.entries()) void openAlone(`alone ${i}`, paths);
      void tend();
    },
    saw: hasty({ world, dice: dice.of('haste'), ask }),
  };
}

interface Plan {
  readonly cards: readonly SpecCard[];
  /** Tickets by hand, each with the files that it touches. */
  readonly alone: readonly (readonly string[])[];
}

function planOf(dice: Dice, { tickets, files }: { readonly tickets: number; readonly files: number }): Plan {
  const aloneCount = dice.chance(0.3) ? dice.between(0, tickets) : 0;
  const paths = (): string[] => Array.from({ length: files }, (_, i) => `src/part${i}.ts`).filter(() => dice.chance(0.4));
  const features = Array.from({ length: tickets - aloneCount }, (_, i) => ({
    title: `feature ${i}`,
    depends_on: Array.from({ length: i }, (__, j) => `feature ${j}`).filter(() => dice.chance(0.25)),
    files: paths(),
  }));
  const cards = features.length === 0 ? [] : [specCard.parse({ name: 'work', features })];
  return { cards, alone: Array.from({ length: aloneCount }, paths) };
}
