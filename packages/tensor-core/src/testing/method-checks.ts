import { mergeBias, mergeWeight } from "../adapter/derive.js";
import { featuresOf, forwardBase, isConv, type LayerSpec } from "../adapter/layer.js";
import type { AdapterMethod, ParameterSpec, Params } from "../adapter/method.js";
import { tileRows } from "../adapter/tile.js";
import { readFields, writeFields } from "../adapter/config.js";
import { dequantize } from "../composites/dequantize.js";
import { INT8_ROWS } from "../formats/int8.js";
import type { Tensor } from "../graph.js";
import { CapabilityError } from "../errors.js";
import { cast } from "../ops/cast.js";
import { full, tensor } from "../ops/create.js";
import { mul, round } from "../ops/elementwise.js";
import { reshape, rows } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { sizeOf } from "../shape.js";
import { gradients } from "../transforms/grad.js";
import { substitute } from "../passes/rewrite.js";
import type { Check } from "./conformance.js";

/** A layer that a method is checked on. */
export interface MethodCase<C> {
  readonly name: string;
  readonly config: C;
  readonly layer: LayerSpec;
  /** The merged weight and the unmerged forward agree; false where the reference says that they do not. */
  readonly mergeable?: boolean;
  /** For methods that ask for the task of each row: i32 [2], as the checks run two rows. */
  readonly taskIds?: Tensor;
  /** Parameters, where numbers of the size 0.3 everywhere are no sensible ones. */
  readonly params?: Params;
}

/** Relative to the largest element: some sums of 64 products in f32. */
const TOLERANCE = 2e-5;
/** Step and tolerance of the difference quotient of a loss near 1: 2⁻²³/step, plus the curvature. */
const STEP = 1e-2;
const SLOPE_TOLERANCE = 5e-3;

const wave = (shape: readonly number[], phase: number, size = 0.3): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * 1.3 + phase)),
    { shape },
  );

/**
 * What must hold for every method on a layer: parameters and keys have the same names, the config survives a file, the forward pass equals the base with
 * the merged weight, gradients equal finite differences, both and the merged weight are the same over a packed base, a merge of some rows equals those rows of the merge, and strength 0 leaves the base.
 */
export function methodChecks<C>(method: AdapterMethod<C>, cases: readonly MethodCase<C>[]): Check[] {
  const perCase = cases.flatMap((c) => checksOf(method, c).map(({ name, run }) => ({ name: `${method.name} on ${c.name}: ${name}`, run })));
  return [{ name: `${method.name}: defaults survive a file`, run: async () => defaultsSurvive(method) }, ...perCase];
}

function defaultsSurvive<C>({ fields, name }: AdapterMethod<C>): void {
  const defaults = readFields(fields, {});
  const again = readFields(fields, writeFields(fields, defaults));
  if (JSON.stringify(defaults) !== JSON.stringify(again)) throw new Error(`${name}: the config changes when it is written and read`);
}

function checksOf<C>(method: AdapterMethod<C>, c: MethodCase<C>): Check[] {
  const { config, layer } = c;
  const specs = method.parameters(config, layer);
  const shared: { readonly [name: string]: ParameterSpec } = method.shared?.parameters(config, [{ path: "layer", layer }]) ?? {};
  const params: Params =
    c.params ?? Object.fromEntries(Object.entries({ ...specs, ...shared }).map(([name, { shape }], i) => [name, wave(shape, i)]));
  const weight = wave(layer.shape, 0.5);
  const { out } = featuresOf(layer);
  const bias = layer.bias ? wave([out], 0.7) : undefined;
  const base = { weight, bias };
  const x = inputOf(layer);
  const at = (scale: number) => ({ layer, config, scale, ...(c.taskIds && { taskIds: c.taskIds }) });
  const forwardOver = (w: Tensor, p: Params, scale = 1): Tensor => method.forward(x, { weight: w, bias }, p, at(scale));
  const forward = (p: Params, scale = 1): Tensor => forwardOver(weight, p, scale);
  const merged = (scale: number): { weight: Tensor; bias: Tensor | undefined } => ({
    weight: mergeWeight(method, weight, params, at(scale)),
    bias: mergeBias(method, bias, params, at(scale), { weight }),
  });
  const names = async (): Promise<void> => {
    const keys = Object.keys(method.keys(layer));
    const absent = Object.keys(specs).filter((name) => !keys.includes(name));
    if (absent.length > 0) throw new Error(`no keys for ${absent.join(", ")}`);
  };
  const checks: Check[] = [{ name: "every parameter has a name on disk", run: names }];
  if (layer.kind !== "parameter") checks.push({ name: "gradients equal finite differences", run: () => slopes(forward, params, specs) });
  if (layer.shape.length > 1) {
    const results = (w: Tensor): readonly Tensor[] => [
      ...(layer.kind === "parameter" ? [] : withGradients((p) => forwardOver(w, p), params, specs)),
      ...(method.unmergeable || c.mergeable === false ? [] : [mergeWeight(method, w, params, at(1))]),
    ];
    checks.push({ name: "a packed base is as the same weight dense", run: async () => packedAsDense(weight, results) });
  }
  if (method.unmergeable) {
    checks.push({ name: "a merge is refused", run: async () => refused(() => merged(1)) });
    checks.push({
      name: "at strength 0 the result stays",
      run: async () => close(await forward(params, 0).data(), await forwardBase(layer, base, x).data()),
    });
    return checks;
  }
  if (c.mergeable === false) return checks;
  if (layer.kind !== "parameter")
    checks.push({
      name: "forward equals the base with the merged weight",
      run: async () => close(await forward(params).data(), await forwardBase(layer, merged(1), x).data()),
    });
  checks.push({
    name: "rows of the merge need those rows alone, or all",
    async run() {
      const stop = Math.min(3, layer.shape[0]!);
      const tile = tileRows((w) => mergeWeight(method, w, params, at(1)), weight, 1, stop);
      if (!tile) return;
      const [bound] = substitute([tile.output], [tile.input], [rows(weight, 1, stop)]) as [Tensor];
      close(await bound.data(), await rows(merged(1).weight, 1, stop).data());
    },
  });
  checks.push({
    name: "at strength 0 the weight stays",
    async run() {
      close(await merged(0).weight.data(), await weight.data());
    },
  });
  return checks;
}

/** Compares what a method makes of a weight in eight bits, and of the values that this has. */
async function packedAsDense(weight: Tensor, results: (weight: Tensor) => readonly Tensor[]): Promise<void> {
  const [out, width] = [weight.shape[0]!, weight.size / weight.shape[0]!];
  const codes = cast(round(mul(reshape(weight, [out, width]), 32)), "i8");
  const parts = { codes, absmax: full([out], 127 / 32) };
  const packed = reshape(dequantize({ format: INT8_ROWS, shape: [out, width], parts }), weight.shape);
  const dense = tensor(await packed.data(), { shape: weight.shape });
  const [got, want] = [results(packed), results(dense)];
  for (const [i, t] of got.entries()) close(await t.data(), await want[i]!.data());
}

function refused(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (error instanceof CapabilityError) return;
    throw error;
  }
  throw new Error("the method was merged, though it says that it cannot be");
}

function inputOf(layer: LayerSpec): Tensor {
  const { in: inputs } = featuresOf(layer);
  if (layer.kind === "embedding")
    return tensor(
      Int32Array.from({ length: 6 }, (_, i) => (i * 5 + 1) % inputs),
      { shape: [2, 3] },
    );
  if (isConv(layer)) return wave([2, inputs, ...layer.shape.slice(2).map((k, i) => k + 4 + i)], 1.1, 1);
  return wave([2, 3, inputs], 1.1, 1);
}

type Specs = { readonly [name: string]: ParameterSpec };

const trainedOf = (params: Params, specs: Specs): string[] =>
  Object.keys(specs).filter((name) => specs[name]!.trainable && params[name]!.size > 0);

const lossOf = (y: Tensor): Tensor => mul(sum(mul(y, wave(y.shape, 0.2, 1))), 1 / y.size);

/** A result, and the gradients of a loss of it along every trained parameter. */
function withGradients(forward: (p: Params) => Tensor, params: Params, specs: Specs): Tensor[] {
  const y = forward(params);
  const trained = trainedOf(params, specs).map((name) => params[name]!);
  return [y, ...gradients(lossOf(y), trained)];
}

/** Slopes of a loss along every trained parameter, at three of its elements. */
async function slopes(forward: (p: Params) => Tensor, params: Params, specs: Specs): Promise<void> {
  const loss = (p: Params): Tensor => lossOf(forward(p));
  const trained = trainedOf(params, specs);
  const [, ...found] = withGradients(forward, params, specs);
  for (const [i, name] of trained.entries()) {
    const values = Float32Array.from(await params[name]!.data());
    const slope = await found[i]!.data();
    const at = async (k: number, d: number): Promise<number> => {
      const moved = values.map((v, j) => (j === k ? v + d : v));
      return loss({ ...params, [name]: tensor(moved, { shape: params[name]!.shape }) }).item();
    };
    const largest = Array.from(slope).reduce((top, v) => Math.max(top, Math.abs(v)), 1e-2);
    for (const k of new Set([0, values.length >> 1, values.length - 1])) {
      const quotient = ((await at(k, STEP)) - (await at(k, -STEP))) / (2 * STEP);
      if (!(Math.abs(quotient - slope[k]!) <= SLOPE_TOLERANCE * largest))
        throw new Error(`gradient of ${name}[${k}] is ${slope[k]}, the difference quotient ${quotient}`);
    }
  }
}

function close(got: ArrayLike<number>, want: ArrayLike<number>): void {
  const largest = Array.from(want).reduce((top, v) => Math.max(top, Math.abs(v)), 1);
  if (got.length !== want.length) throw new Error(`${got.length} values, expected ${want.length}`);
  for (let i = 0; i < want.length; i++)
    if (!(Math.abs(got[i]! - want[i]!) <= TOLERANCE * largest)) throw new Error(`value ${i} is ${got[i]}, expected ${want[i]}`);
}
