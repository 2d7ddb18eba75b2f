import type { NormalizedString } from "../text/normalized-string.js";
import type { ComponentKind } from "../json/read-component.js";

/** Changes a text before it is split, keeping what each part stands for. */
export type Normalizer = (piece: NormalizedString) => NormalizedString;

export type NormalizerKind = ComponentKind<Normalizer>;
