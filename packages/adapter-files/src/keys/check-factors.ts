import { type AdapterMethod, ConfigError, type LayerSpec, WeftError } from "@weft/tensor-core";
import type { AdapterModule, AdapterTensor } from "../opened-adapter.js";

/** Divisible by whatever methods cut features into. */
const SIZE = 5040;
const conv = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
const probe = (kind: LayerSpec["kind"], shape: readonly number[], bias = false): LayerSpec => ({ kind, shape, dtype: "f32", bias });
/** Layers that a module may be of, while none is known: which parameters it has does not depend on the sizes. */
const PROBES: readonly LayerSpec[] = [
  probe("linear", [SIZE, SIZE]),
  { ...probe("conv2d", [SIZE, SIZE, 3, 3]), conv },
  probe("embedding", [SIZE, SIZE]),
  probe("norm", [SIZE]),
  probe("parameter", [SIZE, SIZE, SIZE]),
];

/**
 * Refuses a module that has some of its method's parameters and lacks others, whatever layer it is of: a product needs both factors. Which parameters
 * those are, the method says, given the config and the shapes; where what it says leaves out some that are there, their sizes decide, and so the base.
 * @param file for the message; not given where the caller adds it
 * @throws ConfigError kind `missing-tensor`
 */
export function checkFactors(
  method: AdapterMethod<never>,
  config: object,
  { path, tensors }: Pick<AdapterModule, "path" | "tensors">,
  file?: string,
): void {
  let fewest: readonly [has: AdapterTensor, hasKey: string, lacks: readonly string[]] | undefined;
  for (const layer of PROBES) {
    const keys = Object.entries(method.keys(layer));
    const found = new Map(keys.flatMap(([name, list]) => list.filter((key) => tensors.has(key)).map((key) => [name, key] as const)));
    const [first] = found.values();
    const needed = first === undefined ? undefined : parametersOf(method, config, layer, found, tensors);
    if (first === undefined || !needed || [...found.keys()].some((name) => !needed.has(name))) continue;
    const lacks = keys.flatMap(([name, [key]]) => (needed.has(name) && !found.has(name) ? [key!] : []));
    if (lacks.length === 0) return;
    if (!fewest || lacks.length < fewest[2].length) fewest = [tensors.get(first)!, first, lacks];
  }
  if (!fewest) return;
  const [has, hasKey, lacks] = fewest;
  throw new ConfigError(
    `${path}: ${hasKey} is in the file, ${lacks.length > 1 ? `${lacks.slice(0, -1).join(", ")} and ` : ""}${lacks.at(-1)} ${lacks.length > 1 ? "are" : "is"} not, without which it means nothing`,
    {
      kind: "missing-tensor",
      tensor: has.name,
      ...(file !== undefined && { file }),
      hint: "the adapter is incomplete: was it saved by a single process of several, or cut when it was copied?",
    },
  );
}

/** Names of the parameters that a layer has; undefined if the method does not take such a layer. */
function parametersOf(
  method: AdapterMethod<never>,
  config: object,
  layer: LayerSpec,
  found: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, AdapterTensor>,
): ReadonlySet<string> | undefined {
  try {
    const shapes = Object.fromEntries([...found].map(([name, key]) => [name, tensors.get(key)!.shape]));
    const fitted = method.configFromShapes?.(config as never, layer, shapes) ?? config;
    return new Set(Object.keys(method.parameters(fitted as never, layer)));
  } catch (error) {
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}
