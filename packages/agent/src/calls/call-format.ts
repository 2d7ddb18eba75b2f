/** A call as a model writes it. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: { readonly [name: string]: unknown };
}

/** What of a text is calls, what is not, and what was meant as a call and is none. */
export interface ParsedCalls {
  readonly calls: readonly ToolCall[];
  /** The text without the calls. */
  readonly text: string;
  /** What is wrong with a call, for the model to write it again. */
  readonly faults: readonly string[];
}

/** How a family of models writes calls. */
export interface CallFormat {
  readonly name: "hermes" | "llama3" | "mistral";
  /** What stands before and behind the JSON of a call, for decoding that is constrained to it. */
  readonly open: string;
  readonly close: string;
  /** The member of a call that holds its arguments. */
  readonly argumentsKey: "arguments" | "parameters";
  parse(text: string): ParsedCalls;
}
