import { CapabilityError, encode, type Tensor } from "@weft/tensor-core";
import { fromCoreDType } from "@weft/io-safetensors";
import type { ConvertModule } from "../conversion/convert-module.js";
import { asPlainLora } from "../conversion/expand.js";
import type { LazyTensor } from "../conversion/lazy-tensor.js";
import { combineSources, type CombineOptions, type Source } from "./combine-sources.js";
import { plainSource } from "./plain-source.js";

/** One adapter of a sum. */
export interface Summand {
  readonly modules: readonly ConvertModule[];
  /** Negative to take away. */
  readonly weight: number;
  /** A further factor by module (block weights); 1 if not given. A module with 0 is left out. */
  readonly blockWeight?: (module: ConvertModule) => number;
}

/**
 * Σ weight·ΔW of adapters of any low-rank method, as one LoRA without a base: LoHa, LoKr and Tucker are converted to LoRA exactly first.
 * `exact`, the default, gives the sum itself, ranks added up; the other types are PEFT's.
 * @throws CapabilityError kind `not-combinable` with the module and the reason; ConfigError as `combineSources`
 */
export async function combineModules(summands: readonly Summand[], options: CombineOptions = {}): Promise<ConvertModule[]> {
  const named = new Map<string, ConvertModule>();
  const layers = new Map<string, Source[]>();
  const ranks: number[] = [];
  for (const { modules, weight, blockWeight } of summands) {
    const own: number[] = [];
    for (const module of modules) {
      const factor = blockWeight?.(module) ?? 1;
      if (factor === 0) continue;
      const lora = asPlainLora(module);
      if (typeof lora === "string") throw new CapabilityError(`${module.label}: ${lora}`, { kind: "not-combinable", tensor: module.label });
      const key = moduleKey(module);
      named.set(key, named.get(key) ?? lora);
      layers.set(key, [...(layers.get(key) ?? []), await plainSource({ ...lora, scale: lora.scale * factor }, weight)]);
      own.push(lora.rank!);
    }
    ranks.push(Math.max(...own));
  }
  const { factors } = await combineSources(layers, ranks, options);
  return Promise.all([...factors].map(([key, { A, B }]) => plainModule(named.get(key)!, A!, B!)));
}

/** A module's name across files of one model. */
const moduleKey = ({ component, path }: ConvertModule): string => (component === "model" ? path : `${component}/${path}`);

/** A module with other factors, at scale 1. */
async function plainModule(named: ConvertModule, A: Tensor, B: Tensor): Promise<ConvertModule> {
  const [down, up] = [await stored(A), await stored(B)];
  return {
    ...named,
    method: "LOCON",
    rank: down.shape[0]!,
    scale: 1,
    scalars: new Map(),
    parameters: new Map([
      ["lora_down.weight", down],
      ["lora_up.weight", up],
    ]),
  };
}

async function stored(t: Tensor): Promise<LazyTensor> {
  const bytes = encode(await t.data(), t.dtype);
  return { dtype: fromCoreDType(t.dtype), shape: t.shape, read: () => Promise.resolve(bytes) };
}
