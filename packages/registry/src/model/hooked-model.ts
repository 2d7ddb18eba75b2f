import type { AdapterConfig } from "@weft/adapter-files";
import type { PromptModel } from "@weft/tensor-core/prompt";
import type { AdapterMethod, BaseLayer, LayerSpec, Mirror, MirrorSizes, Tensor } from "@weft/tensor-core";

/** Called for every layer of a model by module path; answers with the layer's result, or undefined to leave it to the base. */
export type LayerHook = (path: string, layer: LayerSpec, base: BaseLayer, x: Tensor) => Tensor | undefined;

/** A layer with its place in a model. */
export interface HookedLayer {
  readonly path: string;
  readonly layer: LayerSpec;
  readonly base: BaseLayer;
}

/** A module as targeting looks at it. */
export interface HookedModule {
  /** `linear`, `embedding`, `norm`, `conv2d` …; anything else only contains. */
  readonly kind: string;
  /** The layer that gives the logits, which `all-linear` leaves out. */
  readonly outputEmbedding?: boolean;
}

/**
 * What a model offers so that adapters attach to it: its layers by path, and a forward that asks a hook at each. The models of `@weft/models`
 * have this form; another framework needs no more than these members.
 */
export interface HookedModel<Inputs, Outputs> {
  /** transformers' `model_type`, by which methods know their default targets, and the sizes that prompt methods need. */
  readonly config?: Partial<PromptModel> & { readonly modelType?: string };
  /** Parameters by their names in a checkpoint. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** The layers that adapters attach to, in the order of the Python model. */
  layers(): Iterable<HookedLayer>;
  /** All modules, also those that no adapter attaches to. */
  namedModules(): Iterable<readonly [path: string, module: HookedModule]>;
  /** The same model with some parameters replaced. */
  withWeights(changes: ReadonlyMap<string, Tensor>): HookedModel<Inputs, Outputs>;
  forward(inputs: Inputs, hook?: LayerHook): Outputs;
  /** A smaller model of the same kind, for adapters that have one beside it (SHADOW). @throws ConfigError for sizes that do not go together */
  mirror?(sizes: MirrorSizes): Mirror;
}

/** Layers that see more of the inputs than their own. */
export const isWhole = ({ kind }: LayerSpec): boolean => kind === "attention" || kind === "block";

/** The layers of a model that a method may be on. */
export function layersOf(model: HookedModel<never, unknown>, { wholes = false }: { readonly wholes?: boolean } = {}): HookedLayer[] {
  return [...model.layers()].filter(({ layer }) => wholes || !isWhole(layer));
}

/** An adapter's config completed from the model that it is put on. @throws ConfigError if it does not go with the model */
export function onModel(
  config: AdapterConfig,
  method: AdapterMethod<never> | undefined,
  model: HookedModel<never, unknown>,
): AdapterConfig {
  return method?.onModel ? { ...config, values: method.onModel(config.values as never, model) as AdapterConfig["values"] } : config;
}

/** The name of a layer's weight in a checkpoint: a raw parameter is its own. */
export const weightName = ({ path, layer }: Pick<HookedLayer, "path" | "layer">): string =>
  layer.kind === "parameter" ? path : `${path}.weight`;
