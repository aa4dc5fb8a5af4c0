/** Questions: what waits for a person's word, with a deadline and a default where an agent waits for it. */
export { type Decision, readAnswer } from './model/answer.ts';
export { type QuestionRow, questionsOverdue } from './questions.sql.ts';
export {
  answerQuestion,
  countQuestionsOf,
  expireQuestion,
  findQuestion,
  decidedAsks,
  getQuestion,
  openQuestion,
  pendingAsks,
} from './verbs.ts';
export { wireQuestion } from './wire.ts';
