import type { DType } from "../dtype.js";
import type { TorchGenerator } from "../random/index.js";
import type { Tensor } from "../graph.js";
import type { Shape } from "../shape.js";
import type { FieldTable } from "./config.js";
import type { BaseLayer, LayerSpec } from "./layer.js";

/** How a new parameter is filled. `kaimingUniform`: U(±√6/√((1+5)·fanIn)) = U(±1/√fanIn) over the last axes, torch's default for Linear and Conv; `uniform`: U(±bound). */
export type Init =
  | { readonly kind: "zeros" | "ones" | "kaimingUniform" }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly std: number; readonly mean?: number };

/** A parameter of a method on a layer: its shape, how it begins, and whether it is trained. */
export interface ParameterSpec {
  readonly shape: Shape;
  /** In files, where it is not the one that the adapter is held in. */
  readonly dtype?: DType;
  readonly init: Init;
  readonly trainable: boolean;
  /** Not trained, but counted among all parameters: frozen ones are in PEFT, fixed data (indices, buffers) is not. */
  readonly counted?: boolean;
}

/** The parameters of one adapted layer by name. */
export type Params = { readonly [name: string]: Tensor };

/** What a method gets to know about the call besides its tensors. */
export interface AdapterContext<C> {
  readonly layer: LayerSpec;
  /** The adapter's config with the values that hold for this layer (`rank_pattern`, `alpha_pattern` applied). */
  readonly config: C;
  /** The user's factor on the adapter's effect (`merge -a lora:0.8`); 1 is the adapter as trained. */
  readonly scale: number;
  /** The task of each row of the batch, i32 [batch], where the caller says it. */
  readonly taskIds?: Tensor;
  /** What the method's `begin` gave for this pass over the model. */
  readonly pass?: unknown;
  /** In training: zeros with probability `rate`, else ones, drawn anew for each call and step (rank and module dropout); nothing is left out if not given. */
  readonly mask?: (shape: Shape, rate: number) => Tensor;
  /** In training: numbers from 0 up to, not including, 1, drawn anew for each call and step (DyLoRA's block of ranks); nothing is drawn if not given. */
  readonly uniform?: (shape: Shape) => Tensor;
  /** In training: standard normal values, drawn anew for each call and step (MonteCLoRA); nothing is drawn if not given. */
  readonly noise?: (shape: Shape) => Tensor;
}

/** How a merge rounds. `once`: W + Δ in f32, one rounding to the dtype of W. `twice`: Δ is rounded to the dtype of W first. */
export type Rounding = "once" | "twice";

/** How each of PEFT's two ways to merge rounds, which differs from method to method. */
export interface MergeRounding {
  readonly merge: Rounding;
  /** With `safe_merge=True`. */
  readonly safeMerge: Rounding;
}

/** A layer as it was before any adapter was merged into it, as far as merging its bias may look at it. */
export interface UnmergedBias {
  readonly bias: Tensor;
  readonly weight?: Tensor | undefined;
}

/** A new adapter of one layer, and the base weight that it needs where the initialisation changes it (PiSSA, OLoRA). */
export interface Initialised {
  readonly params: Params;
  readonly weight?: Tensor;
  /** What the initialisation took out of the base, where base and config do not tell it again: saving makes of it an adapter for the original base. */
  readonly removed?: Params;
}

/** A layer of an adapter as those that look at all of them see it. */
export interface AdaptedModule {
  /** Path of the module, or the name of a raw parameter. */
  readonly path: string;
  readonly layer: LayerSpec;
}

/** Parameters that layers of an adapter have in common (VeRA's projections for all, FRoD's for modules of one role); each layer finds them all among its `params`. */
export interface SharedParameters<C> {
  parameters(config: C, modules: readonly AdaptedModule[]): { readonly [name: string]: ParameterSpec };
  /** Names on disk behind `base_model.`; the first is written, all are read. A parameter that is not listed is called there as here. */
  readonly keys?: { readonly [name: string]: readonly string[] };
  /** The values that follow from the config's seed, for files that do not hold them. @throws ConfigError if they do not follow */
  rebuild?(config: C, specs: { readonly [name: string]: ParameterSpec }): { readonly [name: string]: Float32Array };
}

/** Sizes of a smaller model of the same kind; those that are not given are the model's own. */
export interface MirrorSizes {
  readonly layers: number;
  readonly hiddenSize?: number | undefined;
  readonly heads?: number | undefined;
  readonly intermediateSize?: number | undefined;
}

/** A model of the same kind as another one, without a head, whose parameters are an adapter's. */
export interface Mirror {
  /** Width of its hidden states. */
  readonly width: number;
  /** Its parameters under the names of the Python model's decoder: `layers.0.self_attn.q_proj.weight`. */
  readonly parameters: { readonly [name: string]: ParameterSpec };
  /** Its last hidden states [batch, length, width]. Without `embed_tokens.weight` among the parameters it has the model's embeddings. */
  hidden(inputs: unknown, params: Params): Tensor;
}

/** A model as far as a method may look at it when it is put on. */
export interface ModelView {
  layers(): Iterable<{ readonly path: string; readonly layer: LayerSpec }>;
  mirror?(sizes: MirrorSizes): Mirror;
}

/** One pass over a model, before it begins. */
export interface ModelPass extends Pick<ModelView, "mirror">, Pick<AdapterContext<never>, "mask"> {
  /** What the model is given. */
  readonly inputs: unknown;
  /** The model's outputs with this adapter alone, whose layers find `pass` in their context. */
  forward(pass: unknown): unknown;
}

/** One adapter on a layer. */
export interface Attached {
  readonly method: AdapterMethod<never>;
  readonly params: Params;
  readonly context: AdapterContext<never>;
  /** Where the adapter acts: bool, broadcast over the layer's result (aLoRA: […, length, 1]); everywhere if not given. */
  readonly active?: Tensor;
}

/** A layer of an adapter with its place in the model. */
export interface TargetedLayer extends AdaptedModule {
  /** The entry of `target_modules` that chose it, the longest if several did: `q_proj`; all of it if it is a regular expression. */
  readonly target: string;
}

/** A layer's base and its place among the layers of its adapter. */
export interface LayerOrigin {
  readonly path: string;
  /** Read where it is looked at. */
  weight(): Tensor | Promise<Tensor>;
  bias(): Tensor | undefined | Promise<Tensor | undefined>;
  /** Number of the layer in the order of the model's modules; undefined where that order is not known (a checkpoint does not keep it). */
  readonly index?: number | undefined;
  /** Number of the adapter's layers. */
  readonly count: number;
}

/** What follows from a layer's base and place. */
export interface Derived<C> {
  /** Further parameters of the layer, beside those that it owns: frozen, neither counted nor saved. */
  readonly params: Params;
  /** Own parameters of a new adapter that begin with something of the base; the others begin as their `init` says. */
  readonly initial?: Params;
  /** The config with what was found out. */
  readonly config?: C;
}

/** Parameters that are in no file, because they follow from the base weight or from the layer's place (singular vectors, groups of rows). */
export interface DerivedParameters<C> {
  /** A bound on the multiplications that deriving takes for one layer. */
  work(config: C, layer: LayerSpec): number;
  /**
   * @param loaded the layer's parameters, own and shared, as a file has them; for a new adapter the shared ones only, and `isNew`
   * @throws CapabilityError if the base does not determine them
   */
  derive(config: C, layer: LayerSpec, origin: LayerOrigin, loaded: Params, isNew: boolean): Promise<Derived<C>>;
}

/** The factors of a change of low rank: ΔW = scale·B·A. */
export interface LowRankFactors {
  /** [r, in, …kernel] */
  readonly A: Tensor;
  /** [out, r, …ones] */
  readonly B: Tensor;
  readonly scale: number;
}

/** Why an adapter's parameters alone do not say what it does to its base. */
export interface SpecialForm {
  /**
   * `acts-otherwise`: it is no change of weights. `base-changed-by-init`: its beginning changed the base; `determined` if the base says how.
   * `variant`: what is stored are not, or not only, the factors that other programs know.
   */
  readonly kind: "acts-otherwise" | "base-changed-by-init" | "variant";
  readonly why: string;
  readonly determined?: boolean;
  /** What is stored are the factors that other programs know. */
  readonly plain: boolean;
  /** What to do instead. */
  readonly remedy: string;
  /** What to do instead of running it, where a model of layers with hooks does not offer what it does. */
  readonly insteadOfRunning?: string;
}

/** For methods whose files hold nothing but the tensors of each module, `<module>.<key>` (LyCORIS's and its like): how they are told. */
export interface BareModules {
  /** Keys that tell the method, each with its turn: of those that a module has, the one with the lowest turn decides. */
  readonly marks: { readonly [key: string]: number };
  /** Keys of tensors of one element that hold numbers of the config, under the field's own name: `alpha`. */
  readonly scalars: readonly string[];
  /** Whether tensors with such a mark are this method's, where another one has the same; they are if not given. */
  takes?(tensors: ReadonlyMap<string, { readonly shape: Shape }>): boolean;
  /** The config of a module, given the numbers of `scalars`; `configFromShapes` adds what the shapes say. */
  config(scalars: { readonly [key: string]: number }): object;
}

/** Names of modules by a model's `model_type`. */
type ByModelType = { readonly [modelType: string]: string | readonly string[] };

/** The modules that a new adapter is for where its config names none, as PEFT's `utils/constants.py` has them. */
export interface DefaultTargets {
  /** `target_modules` of models on which they are not those of LoRA. */
  readonly models: ByModelType;
  /** `target_modules` of all other models, and of those whose type is not known; null: there are none. LoRA's if not given. */
  readonly others?: string | null;
  /** Further fields of the config that go with them, by name, where it does not have them; an empty list for other models. */
  readonly fields?: { readonly [field: string]: ByModelType };
}

/** Where an adapter acts that acts from some place of each sequence to its end, and not everywhere. */
export interface ActivePart {
  /** Bool [batch, length, 1], given whole sequences of token ids i32 [batch, length]. */
  mask(inputIds: Tensor): Tensor;
  /** The place in one sequence; undefined where the adapter does not act in it. */
  start(ids: ArrayLike<number>): number | undefined;
}

/**
 * An adapter method: one definition of pure functions, from which forward, training, merging (whole, in place or by rows
 * out of a file), saving and counting follow. A method gives `delta` (additive: W' = W + Δ), or `transform` (W' = f(W)),
 * or both; `forward` is the cheap path that never forms ΔW.
 */
export interface AdapterMethod<C> {
  /** PEFT's `peft_type`. */
  readonly name: string;
  /** How the names of its parameters begin on disk: `lora_`. */
  readonly prefix: string;
  /** The fields of its config with PEFT's names and defaults. */
  readonly fields: FieldTable;
  /** What is adapted by default; LoRA's targets if not given. */
  readonly defaultTargets?: DefaultTargets;
  /**
   * The config that holds at one module, for methods that tell modules apart by name (IA³'s feed-forward modules). `rank_pattern`,
   * `alpha_pattern` and `n_frequency_pattern` hold for every method and have been applied before.
   * @param matches PEFT's rule for a pattern: Python's `re.fullmatch(pattern, path)`
   */
  configAt?(config: C, path: string, matches: (pattern: string) => boolean): C;
  /**
   * The config that the shapes in a file imply: shapes win where the config may say otherwise (a rank after pruning, a block size that did
   * not divide). `parameters` of the result must describe exactly the tensors that are there.
   * @param shapes by parameter name, of the tensors that the file has
   */
  configFromShapes?(config: C, layer: LayerSpec, shapes: { readonly [name: string]: Shape }): C;
  /** The config completed from the model that the adapter is put on. @throws ConfigError if it does not go with the model */
  onModel?(config: C, model: ModelView): C;
  /**
   * The layers of a new adapter, where `target_modules` is not what chooses them.
   * @param layers all that the model has, in its order
   * @throws ConfigError if the model does not have what the config asks for
   */
  choose?(config: C, layers: readonly { readonly path: string; readonly layer: LayerSpec }[]): readonly string[];
  /**
   * What is said against a new adapter of a layer that PEFT takes as it is: a rank, a number or a size of blocks beyond what the layer can use (`aboveRank` of
   * `@weft/tensor-core/methods`). What one field alone says is the field's own `doubt`. A file is not asked.
   * @throws ConfigError for what cannot be trained
   */
  checkNew?(config: C, layer: LayerSpec): readonly string[];
  /** The parameters that the layer gets. @throws ConfigError if the method does not take such a layer */
  parameters(config: C, layer: LayerSpec): { readonly [name: string]: ParameterSpec };
  /** Names on disk (PEFT) behind the module path, for each parameter; the first is written, all are read. */
  keys(layer: LayerSpec): { readonly [name: string]: readonly string[] };
  readonly shared?: SharedParameters<C>;
  readonly derived?: DerivedParameters<C>;
  /**
   * Parameters that some layers have in common. A file holds them with each layer; they are trained and counted once.
   * @param layers all layers of the adapter in the model's order
   * @returns for each of them: parameter name → path of the layer whose parameter it is, which may be its own
   */
  tied?(config: C, layers: readonly TargetedLayer[]): readonly { readonly [name: string]: string }[];
  /**
   * Called before each pass over the model; what it gives is `pass` in the context of all layers.
   * @param params those that all layers have in common
   */
  begin?(model: ModelPass, params: Params, config: C): unknown;
  /**
   * The config of a layer, for a method whose layers are those of other adapters, its experts, which it mixes.
   * @param experts what each of them has on the layer
   * @param index of the layer among all
   */
  mix?(config: C, experts: readonly (Attached | undefined)[], index: number): C;
  /** It acts on attentions or blocks as a whole, which other methods do not get to see. */
  readonly wholes?: boolean;
  /**
   * What a layer gets in view of all others: values of its config (WaveFT's share of the coefficients), and fixed parameters that a file may leave out
   * (Uni-LoRA's places), which are no entries of `parameters` then.
   * @param layers all layers of the adapter in the model's order
   * @returns for each of them
   */
  allot?(config: C, layers: readonly LayerSpec[]): readonly { readonly config?: Partial<C>; readonly params?: Params }[];
  /** Why no merged weight gives what the adapter does: `its mix depends on the input`. Such a method has neither `delta` nor `transform`. */
  readonly unmergeable?: string;
  /** Why a row's result depends on the other rows of its batch: such an adapter acts on whole batches alone. */
  readonly acrossRows?: string;
  /** Whether `forward` needs the task of each row. */
  readonly takesTasks?: boolean;
  /**
   * The parameters of a new adapter, where they are more than each one's `init`; draws in PEFT's order.
   * @param weight and `bias`: of the base, for initialisations that look at them
   */
  init?(config: C, layer: LayerSpec, generator: TorchGenerator, weight: Tensor | undefined, bias?: Tensor): Promise<Initialised>;
  /** The base weight that an adapter which is loaded expects, where its initialisation had changed it; the weight itself if nothing did. */
  expectedBase?(config: C, layer: LayerSpec, weight: Tensor): Promise<Tensor>;
  /**
   * Parameters whose ΔW, at this config, an initialisation had taken out of the base weight: `expectedBase` by a difference, for merging by rows.
   * @throws CapabilityError kind `base-changed-by-init` where they do not follow from the weight
   */
  removed?(config: C, layer: LayerSpec, weight: Tensor): Promise<{ readonly config: C; readonly params: Params } | undefined>;
  /** The factors, where a layer's adapter is these and nothing else: such adapters are mixed in one product, combined and routed between. */
  factors?(params: Params, context: AdapterContext<C>): LowRankFactors | undefined;
  /** Where an adapter acts that acts from some place of each sequence on; undefined for one that acts everywhere. */
  active?(config: C): ActivePart | undefined;
  /** What in a config makes an adapter more, or other, than its parameters; undefined for an ordinary one. */
  special?(config: C): SpecialForm | undefined;
  readonly bare?: BareModules;
  /** ΔW, in the shape of the stored weight and the dtype that PEFT gives it. */
  delta?(params: Params, context: AdapterContext<C>): Tensor;
  /** Where PEFT's merges round ΔW on such a layer; if not given, neither rounds it by itself. */
  rounding?(layer: LayerSpec, config: C): MergeRounding;
  /** W', in the dtype that the arithmetic has; undefined where these parameters are additive. `unmerged` is the weight before any adapter was merged (W itself unless several are). */
  transform?(weight: Tensor, params: Params, context: AdapterContext<C>, unmerged: Tensor): Tensor | undefined;
  /** A merge with a kernel of its own; must equal what follows from `delta`. */
  merge?(
    weight: Tensor,
    params: Params,
    context: AdapterContext<C>,
    options: { readonly rounding: Rounding; readonly dtype: DType },
  ): Tensor | undefined;
  /** What merging adds to the layer's bias. */
  biasDelta?(params: Params, context: AdapterContext<C>): Tensor | undefined;
  /**
   * The bias after merging, for methods that do more than add to it; undefined where these parameters leave it to `biasDelta`.
   * @param unmerged the layer before any adapter was merged: its bias (`bias` itself unless several are), and its weight where it is at hand
   */
  biasTransform?(bias: Tensor, params: Params, context: AdapterContext<C>, unmerged: UnmergedBias): Tensor | undefined;
  /** The layer's result with the adapter. `dropout` is what is applied to the adapter's input in training. */
  forward(x: Tensor, base: BaseLayer, params: Params, context: AdapterContext<C>, dropout?: (x: Tensor) => Tensor): Tensor;
}
