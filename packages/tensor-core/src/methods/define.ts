import { type DType, isFloat } from "../dtype.js";
import { ConfigError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { type BaseLayer, featuresOf, forwardBase, isConv, type LayerKind, type LayerSpec, matrixShape } from "../adapter/layer.js";
import type { AdapterContext, AdapterMethod, Init, MergeRounding, Params, ParameterSpec } from "../adapter/method.js";
import { cast } from "../ops/cast.js";
import { add, mul } from "../ops/elementwise.js";
import { linear, matmul } from "../ops/linear.js";
import { swapLast } from "../ops/movement.js";
import type { Shape } from "../shape.js";

/** Features of a layer. */
export type Size = ReturnType<typeof featuresOf>;

/** What a method of one weight says of itself; the rest follows from its ΔW. */
export interface Definition<C> extends Pick<
  AdapterMethod<C>,
  "name" | "prefix" | "fields" | "defaultTargets" | "configFromShapes" | "shared" | "derived" | "init" | "rounding"
> {
  /** A rule for several methods says nothing of their configs' type. */
  readonly checkNew?: (config: NoInfer<C>, layer: LayerSpec) => readonly string[];
  /** Layers that the method takes; linear ones if not given. */
  readonly kinds?: readonly LayerKind[];
  parameters(config: C, size: Size, layer: LayerSpec): { readonly [name: string]: ParameterSpec };
  /** Names of all parameters that a layer may have; on disk the method's prefix stands before them. */
  readonly names: readonly string[] | ((layer: LayerSpec) => readonly string[]);
}

/** A method that adds a ΔW of its parameters alone. Parameters and inputs come in f32. */
interface Additive<C> extends Definition<C> {
  /** ΔW [out, in], at strength 1. */
  change(params: Params, config: C, size: Size): Tensor;
  /** x·ΔWᵀ, where it is had without ΔW. */
  added?(x: Tensor, params: Params, config: C, size: Size): Tensor;
}

/** A method whose ΔW is a product B·A of low rank. */
interface LowRank<C> extends Definition<C> {
  /** A [r, in] and B [out, r], at strength 1. */
  factors(params: Params, config: C, size: Size): readonly [A: Tensor, B: Tensor];
}

/** A method whose ΔW depends on the weight. */
interface Rewriting<C> extends Definition<C> {
  /**
   * ΔW at strength 1: [out, in] of a linear layer, else as stored; so the weight.
   * @param rounded what PEFT's merge rounds to the dtype of the weight on the way, and its forward does not
   */
  change(weight: Tensor, params: Params, config: C, layer: LayerSpec, rounded: Round): Tensor;
}

/** Rounds to some dtype and comes back to f32. */
export type Round = (t: Tensor) => Tensor;
/** Rounds to a dtype, and goes on in f32. */
export const roundedTo =
  (dtype: DType): Round =>
  (t) =>
    wide(cast(t, dtype));
/** Leaves values as they are. */
export const unrounded: Round = (t) => t;

/** `rounding` of methods whose ΔW both of PEFT's merges round before they add it. */
export const roundsDelta = (): MergeRounding => ({ merge: "twice", safeMerge: "twice" });

const spec =
  (trainable: boolean) =>
  (shape: Shape, init: Init | "zeros" | "ones" | "kaimingUniform" = "zeros"): ParameterSpec => ({
    shape,
    init: typeof init === "string" ? { kind: init } : init,
    trainable,
  });
/** A parameter of this shape that is trained. */
export const trained: ReturnType<typeof spec> = spec(true);
/** A parameter of this shape that is not trained. */
export const fixed: ReturnType<typeof spec> = spec(false);
/** The usual beginning of a last factor: zeros, or as the first if `init_weights` is off. */
export const last = (initWeights: unknown): "zeros" | "kaimingUniform" => (initWeights ? "zeros" : "kaimingUniform");
/** An initialisation by a normal distribution. */
export const normal = (std = 1, mean = 0): Init => ({ kind: "normal", std, mean });

/** A tensor in f32. */
export const wide = (t: Tensor): Tensor => cast(t, "f32");
/** The parameters with all floats in f32. */
export const widened = (params: Params): Params =>
  Object.fromEntries(Object.entries(params).map(([name, t]) => [name, isFloat(t.dtype) ? wide(t) : t]));
/** t · factor, and t itself where the factor is 1. */
export const times = (t: Tensor, factor: number): Tensor => (factor === 1 ? t : mul(t, factor));
/** A matrix [out, in] as the layer stores it, and back. */
export const stored = (matrix: Tensor, { transposed }: LayerSpec): Tensor => (transposed ? swapLast(matrix) : matrix);

/** @throws ConfigError unless each number is a multiple of `divisor` */
export function requireMultiples(method: string, field: string, divisor: number, numbers: readonly number[]): void {
  if (numbers.some((n) => n % divisor !== 0)) throw new ConfigError(`${method}: ${field} ${divisor} must divide ${numbers.join(" and ")}`);
}

/** @throws ConfigError if a number is more than there is */
export function requireAtMost(method: string, field: string, value: number, most: number): void {
  if (value > most) throw new ConfigError(`${method}: ${field} is ${value}, at most ${most} here`);
}

/**
 * What is said of a rank above that of the layer's weight ([out, in·∏kernel], of each expert); nothing of others. For `checkNew`, where ΔW, or what it is made of, is a
 * product of that rank.
 */
export function aboveRank(field: string, value: number, layer: LayerSpec): readonly string[] {
  const { in: inputs, out } = featuresOf(layer);
  const most = isConv(layer) ? Math.min(...matrixShape(layer)) : Math.min(inputs, out);
  return value > most ? [`${field} is ${value}, but a change of a weight of [${layer.shape}] has at most rank ${most}`] : [];
}

/** `checkNew` of methods whose one rank is `r`. */
export const checkRank = ({ r }: { readonly r: number }, layer: LayerSpec): readonly string[] => aboveRank("r", r, layer);

/** The config with the rank that the first axis of a parameter's shape says. */
export const rankFrom =
  <C>(...names: readonly string[]) =>
  (config: C, _: LayerSpec, shapes: { readonly [name: string]: Shape }): C => {
    const found = names.find((name) => shapes[name]);
    return found === undefined ? config : { ...config, r: shapes[found]![0]! };
  };

type Basics =
  | "name"
  | "prefix"
  | "fields"
  | "defaultTargets"
  | "parameters"
  | "keys"
  | "configFromShapes"
  | "checkNew"
  | "shared"
  | "derived"
  | "init"
  | "rounding";

/** The part of a method that its definition gives by itself. */
export function basics<C>({ kinds = ["linear"], parameters, names, ...rest }: Definition<C>): Pick<AdapterMethod<C>, Basics> {
  return {
    ...rest,
    parameters(config, layer) {
      if (!kinds.includes(layer.kind)) throw new ConfigError(`${rest.name} is for layers of kind ${kinds.join(", ")}, got ${layer.kind}`);
      const groups = layer.conv?.groups ?? 1;
      if (groups !== 1) throw new ConfigError(`${rest.name} on a convolution needs groups = 1, got ${groups}`);
      return parameters(config, featuresOf(layer), layer);
    },
    keys: (layer) => Object.fromEntries((typeof names === "function" ? names(layer) : names).map((name) => [name, [rest.prefix + name]])),
  };
}

type Forward<C> = AdapterMethod<C>["forward"];

/** The layer with W + ΔW: in one product, unless dropout or another adapter stands between. */
function forwardChanged(x: Tensor, base: BaseLayer, layer: LayerSpec, change: Tensor, dropout: Parameters<Forward<never>>[4]): Tensor {
  const dtype = isFloat(x.dtype) ? x.dtype : base.weight.dtype;
  if (!dropout && !base.forward) return cast(forwardBase(layer, base, x, add(wide(base.weight), change)), dtype);
  return cast(add(forwardBase(layer, base, x), forwardBase(layer, { weight: change }, dropout ? dropout(x) : x)), dtype);
}

/** The method of a ΔW: its delta, and the layer's result with it. */
export function additive<C>({
  change,
  added,
  ...definition
}: Additive<C>): AdapterMethod<C> & { delta: NonNullable<AdapterMethod<C>["delta"]> } {
  const delta = (params: Params, { layer, config, scale }: AdapterContext<C>): Tensor => {
    // In f32, but rounded where the adapter is held in 16 bits, as PEFT rounds what it has computed in f32.
    const dtype = Object.values(params).find((t) => isFloat(t.dtype))!.dtype;
    return stored(roundedTo(dtype)(times(change(widened(params), config, featuresOf(layer)), scale)), layer);
  };
  return {
    ...basics(definition),
    delta,
    forward(x, base, params, context, dropout) {
      const { layer, config, scale } = context;
      if (!added) return forwardChanged(x, base, layer, delta(params, context), dropout);
      const y = forwardBase(layer, base, x);
      return cast(add(y, times(added(wide(dropout ? dropout(x) : x), widened(params), config, featuresOf(layer)), scale)), y.dtype);
    },
  };
}

/** The method of a ΔW = B·A. */
export function lowRank<C>({ factors, ...definition }: LowRank<C>): AdapterMethod<C> {
  return additive({
    ...definition,
    change(...given) {
      const [A, B] = factors(...given);
      return matmul(B, A);
    },
    added(x, ...given) {
      const [A, B] = factors(...given);
      return linear(linear(x, A), B);
    },
  });
}

/** The method of a ΔW that depends on the weight as it was before any adapter. */
export function rewriting<C>({ change, ...definition }: Rewriting<C>): AdapterMethod<C> {
  const changeOf = (weight: Tensor, params: Params, { layer, config, scale }: AdapterContext<C>, rounded: Round): Tensor =>
    stored(times(change(stored(wide(weight), layer), widened(params), config, layer, rounded), scale), layer);
  return {
    ...basics(definition),
    transform(weight, params, context, unmerged) {
      const rounded = roundedTo(weight.dtype);
      const delta = changeOf(unmerged, params, context, rounded);
      return add(wide(weight), definition.rounding?.(context.layer, context.config).merge === "twice" ? rounded(delta) : delta);
    },
    forward: (x, base, params, context, dropout) =>
      forwardChanged(x, base, context.layer, changeOf(base.weight, params, context, unrounded), dropout),
  };
}
