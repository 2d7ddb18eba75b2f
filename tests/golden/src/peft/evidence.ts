import { existsSync } from "node:fs";
import { openWeights } from "@weft/io-safetensors/node";
import { readTensor } from "@weft/adapter-files";
import { add, gradients, type LayerSpec, mul, type Params, sum, type Tensor, tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import type { Comparison } from "../case.js";
import type { Peft } from "./subject.js";

/** Names of kinds of layer, as torch and the compatibility table have them. */
export function kindOf({ kind, transposed }: LayerSpec): string {
  if (kind === "linear") return transposed ? "Conv1D" : "Linear";
  return kind === "parameter" ? kind : kind.charAt(0).toUpperCase() + kind.slice(1);
}

/** Step of the difference quotient, small beside the distance to kinks and to other choices of the largest, and what it may be off by in f32. */
const STEP = 2e-3;
const SLOPE_TOLERANCE = 0.03;

/**
 * Gradients by torch's, of make_gradients.py: where the backward pass is not the derivative of the forward one, as DoRA's, whose norms are constants in it.
 * @returns false if there are none for the case
 */
export async function checkGradients(check: Comparison, peft: Peft, file: string, run: (peft: Peft) => Tensor): Promise<boolean> {
  if (!existsSync(file)) return false;
  const parameters = Object.entries(peft.parameters().layers);
  const y = run(peft);
  const flat = parameters.flatMap(([path, p]) => Object.entries(p).map(([name, t]) => ({ path, name, t })));
  const slopes = gradients(
    lossOf(y),
    flat.map(({ t }) => t),
  );
  const source = await openWeights(file);
  for (const [i, { path, name }] of flat.entries()) {
    const [attached] = peft.state("default").layers.get(path)!;
    const key = attached!.method.keys(attached!.context.layer)[name]![0]!;
    await check.tensors(`gradient of ${path}.${key}`, slopes[i]!, await readTensor(source, `base_model.model.${path}.${key}`));
  }
  await source.close();
  check.shows("train");
  return true;
}

const [PROMPT, SHARED] = ["prompt", "shared"];

/** The trained parameters of an adapter on a model, by gradients and by differences. */
export function checkTraining(check: Comparison, peft: Peft, run: (peft: Peft) => Tensor): Promise<void> {
  const { layers, prompt, shared, replaced } = peft.parameters();
  // What is no layer's is trained like a layer of its own.
  return checkSlope(check, { ...layers, [PROMPT]: prompt, [SHARED]: shared }, ({ [PROMPT]: p, [SHARED]: s, ...rest }) =>
    run(peft.withParameters({ layers: rest, prompt: p!, shared: s!, replaced })),
  );
}

/** The slope of a loss along one direction through all parameters at once, by gradients and by differences. */
async function checkSlope(
  check: Comparison,
  parameters: { readonly [path: string]: Params },
  run: (parameters: { readonly [path: string]: Params }) => Tensor,
): Promise<void> {
  const generator = torchGenerator(3);
  const along = mapAll(parameters, (t) => tensor(torchNormal(generator, t.size), { shape: t.shape }));
  const at = (step: number): Tensor => lossOf(run(mapAll(parameters, (t, path, name) => add(t, mul(along[path]![name]!, step)))));
  const trained = Object.entries(parameters).flatMap(([path, p]) =>
    Object.keys(p).map((name) => ({ t: p[name]!, d: along[path]![name]! })),
  );
  const slopes = gradients(
    lossOf(run(parameters)),
    trained.map(({ t }) => t),
  );
  let [slope, size] = [0, 0];
  for (const [i, { d }] of trained.entries()) {
    const [g, v] = [await slopes[i]!.data(), await d.data()];
    g.forEach((x, j) => {
      slope += x * v[j]!;
      size += (x * v[j]!) ** 2;
    });
  }
  const quotient = ((await at(STEP).item()) - (await at(-STEP).item())) / (2 * STEP);
  const off = Math.abs(quotient - slope) / Math.max(Math.abs(slope), Math.sqrt(size), 1e-6);
  check.exact("slope of a loss along the parameters", off <= SLOPE_TOLERANCE || `${slope}, difference quotient ${quotient}`, true);
  check.shows("train");
}

const mapAll = (
  all: { readonly [path: string]: Params },
  f: (t: Tensor, path: string, name: string) => Tensor,
): { readonly [path: string]: Params } =>
  Object.fromEntries(
    Object.entries(all).map(([path, p]) => [path, Object.fromEntries(Object.entries(p).map(([name, t]) => [name, f(t, path, name)]))]),
  );

/** A loss that every output takes part in. */
export const lossOf = (y: Tensor): Tensor => mul(sum(mul(y, weights(y))), 1 / y.size);

/** Its weights. */
const weights = ({ shape, size }: Tensor): Tensor =>
  tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7)),
    { shape },
  );
