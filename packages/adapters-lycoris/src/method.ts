import {
  type AdapterContext,
  type AdapterMethod,
  add,
  type BareModules,
  type BaseLayer,
  biasLike,
  cast,
  ConfigError,
  div,
  type FieldTable,
  forwardBase,
  initParameters,
  isFloat,
  type LayerSpec,
  maximum,
  mean,
  mul,
  type ParameterSpec,
  type Params,
  promote,
  reshape,
  type Shape,
  sizeOf,
  sub,
  type Tensor,
  zeros,
} from "@weft/tensor-core";
import { lycorisConfig, type LycorisConfig, type RankConfig } from "./config.js";
import { doraNorm, doraShape, doraWeight, isOutputAxis } from "./parts/dora.js";
import { isLinearOrConv } from "./parts/low-rank.js";

export type Specs = { readonly [name: string]: ParameterSpec };
export type Shapes = { readonly [name: string]: Shape };

/**
 * A method whose files are LyCORIS': tensors `<module>.<suffix>`, and beside the parameters some of one element that belong to the
 * config.
 */
export interface LycorisMethod<C> extends AdapterMethod<C> {
  keys(layer?: LayerSpec): { readonly [name: string]: readonly [string] };
  /** Suffixes of tensors of one element that hold a number of the config, under the field's own name: `alpha`, `on_input`. */
  readonly scalars: readonly string[];
}

/**
 * What a method itself has to say. Parameters come in f32, in the shapes that `parameters` gives. `delta` and `effect` are those at
 * strength 1; `transform` and `forward` apply `context.scale`, LyCORIS' multiplier, themselves.
 */
export interface LycorisDefinition<C extends LycorisConfig> extends Pick<AdapterMethod<C>, "checkNew"> {
  readonly name: string;
  readonly prefix: string;
  readonly fields: FieldTable;
  /** Suffix of the tensor of each parameter, in LyCORIS' files and in PEFT's. */
  readonly suffixes: { readonly [name: string]: string };
  readonly scalars?: readonly string[];
  /** Suffixes that tell it in a file, each with its turn in LyCORIS' order. @see lycoris `modules/__init__.py` get_module */
  readonly marks?: BareModules["marks"];
  readonly isOurs?: BareModules["takes"];
  /** Layers that it takes; linear and convolutions if not given. */
  readonly takes?: (layer: LayerSpec) => boolean;
  parameters(config: C, layer: LayerSpec): Specs;
  /** What the shapes say where the config does not; `shapes` has at least one entry. */
  configFromShapes?(config: C, layer: LayerSpec, shapes: Shapes): C;
  /** New parameters, where they follow from the weight. */
  init?(config: C, layer: LayerSpec, weight: Tensor): Promise<Params>;
  delta?(params: Params, context: AdapterContext<C>): Tensor;
  biasDelta?(params: Params): Tensor | undefined;
  /** ΔW·x without ΔW; undefined where that is not cheaper or not possible. */
  effect?(x: Tensor, params: Params, context: AdapterContext<C>): Tensor | undefined;
  /** The whole layer in one operation, where there is one. */
  fused?(x: Tensor, base: BaseLayer, params: Params, context: AdapterContext<C>): Tensor | undefined;
  transform?(weight: Tensor, params: Params, context: AdapterContext<C>, unmerged: Tensor): Tensor;
  forward?(x: Tensor, base: BaseLayer, params: Params, context: AdapterContext<C>): Tensor;
}

/** Shapes that say the same: equal but for the axes behind the first. */
const isSameData = (a: Shape, b: Shape): boolean => a.length > 0 && a[0] === b[0] && sizeOf(a) === sizeOf(b);

/** What rank dropout leaves: zeros and ones, or scaled up. */
export function rankMask(
  { rankDropout = 0, dialect, rankDropoutScale = dialect !== "lycoris" }: RankConfig,
  mask: AdapterContext<never>["mask"],
  shape: Shape,
): Tensor | undefined {
  if (!mask || rankDropout === 0) return undefined;
  const kept = mask(shape, rankDropout);
  return rankDropoutScale ? div(kept, maximum(mean(kept), 1e-6)) : kept;
}

/** The method that follows from a definition: the rules that all of LyCORIS' methods share. */
export function lycorisMethod<C extends LycorisConfig>(definition: LycorisDefinition<C>): LycorisMethod<C> {
  const { name, prefix, fields, suffixes, takes = isLinearOrConv } = definition;
  type Context = AdapterContext<C>;
  const keys = Object.fromEntries(Object.entries(suffixes).map(([parameter, suffix]) => [parameter, [suffix] as const]));
  const ranked = (config: C): RankConfig => config as unknown as RankConfig;

  function own(config: C, layer: LayerSpec): Specs {
    if (!takes(layer)) throw new ConfigError(`${name} does not take such a layer: ${JSON.stringify(layer)}`);
    const specs = definition.parameters(config, layer);
    const { weightDecompose, wdOnOut = true } = ranked(config);
    if (!weightDecompose || !suffixes.doraScale) return specs;
    return { ...specs, doraScale: { shape: doraShape(layer, wdOnOut), init: { kind: "ones" }, trainable: true } };
  }
  /** The parameters as the definition wants them. */
  function view(params: Params, { config, layer }: Context): Params {
    const specs = own(config, layer);
    const stored = (t: Tensor): Tensor => (config.storage ? cast(t, config.storage) : t);
    return Object.fromEntries(Object.entries(params).map(([key, t]) => [key, cast(reshape(stored(t), specs[key]!.shape), "f32")]));
  }
  /** ΔW at strength 1, with the rows that a training step leaves out. */
  function change(params: Params, context: Context): Tensor {
    const { layer } = context;
    if (ranked(context.config).r === 0) return zeros(layer.shape);
    const delta = definition.delta!(params, context);
    const rows = rowMask(context);
    return rows
      ? mul(
          delta,
          reshape(
            rows,
            layer.shape.map((_, i) => (i === 0 ? -1 : 1)),
          ),
        )
      : delta;
  }
  /** The factors of the output features that rank dropout leaves [out]. */
  const rowMask = (context: Context): Tensor | undefined => rankMask(ranked(context.config), context.mask, [context.layer.shape[0]!]);
  /** `t` times 0 or 1, where module dropout is on. */
  function dropModule(t: Tensor, { config, mask }: Context): Tensor {
    const { moduleDropout = 0 } = ranked(config);
    return mask && moduleDropout > 0 ? mul(t, mask([], moduleDropout)) : t;
  }

  return {
    name,
    prefix,
    fields,
    scalars: definition.scalars ?? [],
    ...(definition.marks && {
      bare: {
        marks: definition.marks,
        scalars: definition.scalars ?? [],
        ...(definition.isOurs && { takes: definition.isOurs }),
        config: (values) => lycorisConfig<object>({ fields }, { alpha: null, ...values }),
      },
    }),
    ...(definition.checkNew && { checkNew: definition.checkNew }),
    keys: () => keys,
    parameters(config, layer) {
      const specs = Object.entries(own(config, layer));
      return Object.fromEntries(specs.map(([key, spec]) => [key, { ...spec, shape: config.stored?.[key] ?? spec.shape }]));
    },
    configFromShapes(config, layer, shapes) {
      if (Object.keys(shapes).length === 0) return config;
      const { doraScale } = shapes;
      const dora = suffixes.doraScale && {
        weightDecompose: doraScale !== undefined,
        wdOnOut: !doraScale || isOutputAxis(layer, doraScale),
      };
      const fresh = withValues(config, { stored: undefined, ...dora });
      const fitted = definition.configFromShapes?.(fresh, layer, shapes) ?? fresh;
      const stored = Object.entries(own(fitted, layer)).flatMap(([key, { shape }]) => {
        const given = shapes[key];
        return given && given.join() !== shape.join() && isSameData(given, shape) ? [[key, given] as const] : [];
      });
      return stored.length > 0 ? withValues(fitted, { stored: Object.fromEntries(stored) }) : fitted;
    },
    async init(config, layer, generator, weight) {
      const { doraScale, ...specs } = this.parameters(config, layer);
      if ((doraScale || definition.init) && !weight) throw new ConfigError(`${name} starts from the base weight, but none was given`);
      const params = await (definition.init?.(config, layer, weight!) ?? initParameters(specs, generator));
      const all = doraScale ? { ...params, doraScale: doraNorm(cast(weight!, "f32"), doraScale.shape, layer) } : params;
      const stored = Object.entries(all).map(([key, t]) => [key, config.storage ? cast(t, config.storage) : t] as const);
      return { params: Object.fromEntries(stored) };
    },
    ...(definition.delta && {
      delta: (params: Params, context: Context) => mul(change(view(params, context), context), context.scale),
    }),
    ...((definition.transform || suffixes.doraScale) && {
      transform(weight: Tensor, params: Params, context: Context, unmerged: Tensor) {
        const p = view(params, context);
        const [w, first] = [cast(weight, "f32"), cast(unmerged, "f32")];
        if (p.doraScale) return doraWeight(w, change(p, context), p.doraScale, context, first);
        return definition.transform?.(w, p, context, first);
      },
    }),
    ...(definition.biasDelta && {
      biasDelta(params: Params, context: Context) {
        const bias = definition.biasDelta!(view(params, context));
        return bias && mul(bias, context.scale);
      },
    }),
    forward(x, base, params, context) {
      const { layer, scale, config } = context;
      const p = view(params, context);
      const dtype = isFloat(x.dtype) ? promote(x.dtype, base.weight.dtype) : base.weight.dtype;
      if (ranked(config).r === 0) return forwardBase(layer, base, x);
      if (definition.forward) return cast(definition.forward(x, base, p, context), dtype);
      if (!p.doraScale) {
        const fused = base.forward || context.mask ? undefined : definition.fused?.(x, base, p, context);
        if (fused) return fused;
        const raw = definition.effect?.(cast(x, "f32"), p, context);
        if (raw) {
          const rows = rowMask(context);
          const effect = dropModule(mul(rows ? mul(raw, biasLike(layer, rows)) : raw, scale), context);
          return cast(add(forwardBase(layer, base, x), effect), dtype);
        }
      }
      const delta = change(p, context);
      const weight = cast(base.weight, "f32");
      const moved = p.doraScale ? sub(doraWeight(weight, delta, p.doraScale, context, weight), weight) : mul(delta, scale);
      const bias = definition.biasDelta?.(p);
      return cast(withChange(layer, base, x, dropModule(moved, context), bias && mul(bias, scale)), dtype);
    },
  };
}

/** The layer with W + Δ and b + Δb: one product, or one more on top of a base that has its own. */
function withChange(layer: LayerSpec, base: BaseLayer, x: Tensor, delta: Tensor, biasDelta: Tensor | undefined): Tensor {
  if (base.forward) return add(base.forward(x), forwardBase(layer, { weight: delta, bias: biasDelta }, x));
  const bias = base.bias && biasDelta ? add(base.bias, biasDelta) : (base.bias ?? biasDelta);
  return forwardBase(layer, { weight: base.weight, bias }, x, add(base.weight, delta));
}

/** A copy of a config with other values, of the same class. */
export function withValues<C extends object>(config: C, values: object): C {
  return Object.assign(Object.create(Object.getPrototypeOf(config) as object | null) as object, config, values) as C;
}
