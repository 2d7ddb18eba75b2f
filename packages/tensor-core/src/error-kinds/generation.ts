/** Errors of generation. */
export interface GenerationErrorKinds {
  /** Prompt and answer together need more positions than there are. Shorten the prompt, or ask for fewer new tokens. */
  "context-length": "config";
  /** Too many requests wait already. Try again later. */
  busy: "capability";
  /** An option of generating has a value that means nothing, or there is none of that name. The message names what is expected. */
  "generation-option": "config";
  /** Options and constraint together exclude every token. Loosen `suppressTokens`, `logitBias` or `minNewTokens`. */
  "no-token-left": "config";
  /** A pattern that is none, or that needs more than regular expressions can say: lookaround, back references. The message names what. */
  "constraint-pattern": "config";
  /** A schema that is none, that no text satisfies, or that has a keyword which is not supported. The message names it and its place. */
  "constraint-schema": "config";
  /** A token that the constraint does not allow at this place. Choose among `allowed()`. */
  "token-not-allowed": "config";
}
