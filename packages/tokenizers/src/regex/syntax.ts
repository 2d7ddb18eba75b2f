/** A set of characters, as the inside of a class of each engine; `undefined` where an engine cannot express it. */
export interface CharSet {
  readonly js: string;
  readonly re2: string | undefined;
  readonly negated: boolean;
}

export type Repeat = "greedy" | "lazy" | "possessive";
/** Kinds of groups, as they are written. */
export type GroupKind = "?:" | "?=" | "?!" | "?<=" | "?<!" | "?>";

/** A regular expression as it was read. */
export type Pattern =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "assertion"; readonly at: "lineStart" | "lineEnd" | "start" | "end" | "lastLine" | "word" | "notWord" }
  | { readonly kind: "sequence"; readonly parts: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  | { readonly kind: "group"; readonly group: GroupKind; readonly body: Pattern }
  | { readonly kind: "repeat"; readonly body: Pattern; readonly min: number; readonly max: number; readonly mode: Repeat };
