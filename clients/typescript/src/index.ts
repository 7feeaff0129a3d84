export * from "./events.js";
export { StagecastStream } from "./stream.js";
export type { Message, Options, Problem, State } from "./stream.js";
