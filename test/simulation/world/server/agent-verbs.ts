import type { ReportAnswer, ReportInput } from '../../../../contract/talk/report-back.ts';

/** What agents ask of a server with the token of their run. */
export interface AgentVerbs {
  /** The status that the gateway answers with. */
  callModel(runToken: string, gone: AbortSignal): Promise<number>;
  askHuman(runToken: string, asked: ReportInput<'ask_human'>, gone: AbortSignal): Promise<ReportAnswer>;
}
