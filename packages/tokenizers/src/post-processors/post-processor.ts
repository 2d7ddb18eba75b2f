import type { Encoding } from "../encoding/encoding.js";
import type { ComponentKind } from "../json/read-component.js";

/** Adds the tokens that a model wants around a text or a pair. */
export interface PostProcessor {
  /** How many tokens it adds. */
  added(pair: boolean): number;
  /** @param encodings of one text or two, or what the processor before has made of them */
  process(encodings: readonly Encoding[], addSpecialTokens: boolean): readonly Encoding[];
}

export type PostProcessorKind = ComponentKind<PostProcessor>;
