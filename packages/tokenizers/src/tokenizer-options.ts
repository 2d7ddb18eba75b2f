import type { Padding } from "./encoding/padding.js";
import type { Truncation } from "./encoding/truncation.js";

/** What is counted in offsets: UTF-16 units, as JavaScript's strings are, or code points, as Python's. */
export type OffsetUnit = "utf-16" | "code-point";

/** A text, or its words if it has been split before; their offsets are then those in each word. */
export type TextInput = string | readonly string[];

/** How texts are encoded. What is not given is as the tokenizer's file says, which may cut and pad. */
export interface EncodeOptions {
  /** Tokens that the model wants around a text; true if not given. */
  readonly addSpecialTokens?: boolean;
  /** A number is the most tokens; false for none. */
  readonly truncation?: Truncation | number | false;
  /** True pads to the longest of a batch, a number to so many tokens; false for none. */
  readonly padding?: Padding | number | boolean;
  /** UTF-16 units if not given. */
  readonly offsetUnit?: OffsetUnit;
  /** Special tokens that stand in the text are text like any other, which input of users should be; false if not given. */
  readonly encodeSpecialTokens?: boolean;
}

/** How a single text is encoded. */
export interface EncodeOneOptions extends EncodeOptions {
  /** The second text of a pair. */
  readonly pair?: TextInput | undefined;
}

/** How ids become text. */
export interface DecodeOptions {
  /** Special tokens are left out; true if not given. */
  readonly skipSpecialTokens?: boolean;
}
