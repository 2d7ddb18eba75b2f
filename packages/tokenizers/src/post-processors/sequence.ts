import type { PostProcessorKind } from "./post-processor.js";

/** Several, one after the other. */
export const SEQUENCE: PostProcessorKind = {
  type: "Sequence",
  read(field, inner) {
    const all = field.at("processors").items().map(inner);
    return {
      added: (pair) => all.reduce((sum, one) => sum + one.added(pair), 0),
      process: (encodings, addSpecialTokens) => all.reduce((some, one) => one.process(some, addSpecialTokens), encodings),
    };
  },
};
