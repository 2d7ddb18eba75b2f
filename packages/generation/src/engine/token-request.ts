/** What is done with the logits behind a token. */
export interface Choice {
  /** The token that comes next. */
  readonly token: number;
  /** Whether it is the last one. */
  readonly done: boolean;
}

/** A sequence that is to be continued token by token. */
export interface TokenRequest {
  /** What it begins with; one token at least. */
  readonly tokens: readonly number[];
  /** So many tokens are added at most. */
  readonly maxNewTokens: number;
  /** The next token by the logits [vocabulary] behind the last one, which may be overwritten. It is called once for each token that is added, in order. */
  choose(logits: Float32Array): Choice;
  /**
   * Guesses of the tokens behind these, to be run together with the last one: as many as prove right save a step each. Results do not depend on them.
   * @see promptLookup
   */
  draft?(tokens: readonly number[]): readonly number[];
  /** The adapter of this sequence, `"__base__"` for none, where the engine mixes adapters. */
  readonly adapter?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}
