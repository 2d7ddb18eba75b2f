import type { AdaptedModule, LayerSpec } from "@weft/tensor-core";
import type { RegexEngine } from "../matching/regex-engine.js";
import type { AdapterTensor } from "../opened-adapter.js";
import type { ModelKind } from "../transformers/model-kind.js";
import type { PathRule } from "./path-rule.js";
import type { Placement } from "./placement.js";

/** A module of the base that the adapter changes. */
export interface MatchedModule {
  /** Its key in `adapter.modules`. */
  readonly id: string;
  /** The module's path in the base. */
  readonly path: string;
  /** Name of the base tensor that is adapted, or a key of the report's `placements`. */
  readonly weight: string;
  /** Name of the module's bias, if it has one; or a key of `placements`, too. */
  readonly bias: string | undefined;
  /** The method of its tensors: the adapter's, or the module's own. */
  readonly method: string;
  /** The layer as the method sees it; undefined if the weight is quantised or the method has no definition here, so that nothing was checked. */
  readonly layer: LayerSpec | undefined;
  /** The config with the module's own rank and alpha. */
  readonly config: { readonly [field: string]: unknown };
  /** The adapter's tensors by the method's parameter names (`A`, `B`), or by their keys where `layer` is undefined. */
  readonly tensors: ReadonlyMap<string, AdapterTensor>;
}

/** A tensor of the base that the adapter brings its own version of. */
export interface Replacement {
  /** Its name in the base. */
  readonly name: string;
  readonly tensor: AdapterTensor;
  /** `resized`: the shapes differ (a larger vocabulary); `added`: the base does not have it (a new head). */
  readonly change: "replaced" | "resized" | "added";
}

/** Something in the adapter that the base has no place for. */
export interface Missing {
  /** Path as the adapter has it, and as it was looked for. */
  readonly path: string;
  readonly wanted: string;
  readonly tensors: readonly AdapterTensor[];
  /** Names of the base that come near. */
  readonly nearest: readonly string[];
}

/** A module of the adapter whose place in the base has another shape. */
export interface Mismatch {
  readonly path: string;
  /** What does not fit, with both shapes. */
  readonly message: string;
}

/** A parameter of all modules: in the file, or rebuilt from the config's seed. */
export type SharedParameter = { readonly tensor: AdapterTensor } | { readonly values: Float32Array; readonly shape: readonly number[] };

/** What becomes of every tensor of an adapter on a base. */
export interface MatchReport {
  readonly matched: readonly MatchedModule[];
  /** Parameters that every matched module has beside its own, by the method's parameter names. */
  readonly shared: ReadonlyMap<string, SharedParameter>;
  readonly replaced: readonly Replacement[];
  /** Embedding rows to replace, with the name of the embedding's weight. */
  readonly tokens: readonly { readonly weight: string; readonly tensor: AdapterTensor }[];
  readonly missing: readonly Missing[];
  readonly mismatched: readonly Mismatch[];
  /** Tensors of the adapter that nothing uses. */
  readonly unused: readonly AdapterTensor[];
  /** Where weights and biases of `matched` lie that are no tensors of the base, but parts of some, or made of several. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** Parts of a pipeline that the adapter has modules for and the base does not hold, with the number of modules. */
  readonly elsewhere: ReadonlyMap<string, number>;
  /** How the adapter's paths were turned into the base's, if not by the names that transformers gives them: a rule for each part of the model. */
  readonly rules: readonly PathRule[];
  /** Rules that fit equally well, so that none was taken; give one in the options. */
  readonly ambiguous: readonly PathRule[];
}

/** What is known of the base already, instead of being found out from its tensors. */
export interface MatchOptions {
  /** How the adapter's paths become the base's, instead of finding out. */
  readonly rule?: PathRule;
  /** What the base's config.json says that it is, for the names that transformers gives its tensors; else they are found out. */
  readonly model?: ModelKind | undefined;
  /** Runs the config's patterns; the safe one if not given. */
  readonly engine?: RegexEngine;
  /** Layers of the adapter that its file does not hold: those of its experts. */
  readonly otherLayers?: readonly AdaptedModule[];
  /** The layer at a module path of the base, where it is known; else it follows from the weight and the adapter's shapes. */
  readonly layer?: (path: string) => LayerSpec | undefined;
}
