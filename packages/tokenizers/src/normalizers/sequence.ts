import type { NormalizerKind } from "./normalizer.js";

/** Several, one after the other. */
export const SEQUENCE: NormalizerKind = {
  type: "Sequence",
  read(field, inner) {
    const all = field.at("normalizers").items().map(inner);
    return (piece) => all.reduce((one, normalize) => normalize(one), piece);
  },
};
