/** Planning: the phases that turn an idea into a spec, as runs. */
export { ensurePlanBase } from './fetch.ts';
export { giveUpPhase, judgePhase } from './judge.ts';
export { planSession } from './plan.ts';
export { outputsWithoutVerdict, planningsLeftAlone } from './planning.sql.ts';
