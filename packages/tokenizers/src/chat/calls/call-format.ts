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
  /** How much of a text that still grows is no call for certain: what lies behind it is one, or may become one. */
  certain(text: string): number;
}

/** Where a marker begins in a text, or what may become one at its end; the text's length if neither is there. */
export function beforeMarker(text: string, marker: string): number {
  const at = text.indexOf(marker);
  if (at >= 0) return at;
  for (let length = Math.min(marker.length - 1, text.length); length > 0; length--)
    if (marker.startsWith(text.slice(text.length - length))) return text.length - length;
  return text.length;
}
