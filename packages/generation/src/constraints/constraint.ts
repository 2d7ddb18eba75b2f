import type { Bitset } from "../bitset.js";

/** What a text has to be. */
export interface Constraint {
  /** Before the first token. */
  start(): ConstraintState;
}

/** How far a text has come. States never change: `advance` gives another one, so that several texts may go on from one. */
export interface ConstraintState {
  /** The tokens that may come next, [vocabulary]; not to be changed. End tokens are among them once the text may end. */
  allowed(): Bitset;
  /** @throws ConfigError kind `token-not-allowed` */
  advance(token: number): ConstraintState;
  /** Whether the text may end here. */
  readonly accepting: boolean;
  /** Whether it has to: an end token came, or nothing else may come. */
  readonly done: boolean;
}
