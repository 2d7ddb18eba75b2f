import { inTurn, type PreTokenizerKind } from "./pre-tokenizer.js";

/** Several, one after the other. */
export const SEQUENCE: PreTokenizerKind = {
  type: "Sequence",
  read: (field, inner) => inTurn(field.at("pretokenizers").items().map(inner)),
};
