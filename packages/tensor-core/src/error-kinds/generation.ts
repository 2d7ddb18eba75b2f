/** Errors of generation. */
export interface GenerationErrorKinds {
  /** Prompt and answer together need more positions than there are. Shorten the prompt, or ask for fewer new tokens. */
  "context-length": "config";
  /** Too many requests wait already. Try again later. */
  busy: "capability";
}
