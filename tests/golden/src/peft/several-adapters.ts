import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { LORA, type LoraConfigFields } from "@weft/adapters-lora";
import type { CombineOptions } from "@weft/convert";
import { PeftModel } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import type { AdapterContext, Device, Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors, withPrefix } from "./files.js";
import { NetModel } from "./net-model.js";
import type { LayerInfo } from "./nets.js";

interface Sources {
  readonly base: string;
  readonly tolerance: number;
  readonly layers: { readonly [name: string]: LayerInfo };
  readonly mixed_names?: readonly string[];
}

/** A network with all adapters of a folder, under the names of their sub-folders. */
async function load(folder: string, tensors: ReadonlyMap<string, Tensor>): Promise<{ peft: PeftModel<Tensor, Tensor>; names: string[] }> {
  const { base, layers } = readJson<Sources>(folder, "case.json");
  const known = Object.fromEntries(Object.entries(layers).filter(([, { type }]) => type !== "Identity"));
  const peft = new PeftModel(new NetModel(base, known, withPrefix(tensors, "base.")), ADAPTER_METHODS);
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "adapter_config.json")));
  for (const name of names) {
    const adapter = await openAdapterFolder(join(folder, name), { methods: ADAPTER_METHODS });
    await peft.loadAdapter(adapter, name);
    await adapter.weights.close();
  }
  return { peft, names };
}

/** Each adapter alone, several active, a batch of mixed rows, all disabled, all merged. */
export async function runSeveralAdapters(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Sources>(folder, "case.json");
  const check = new Comparison(meta.tolerance);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const want = (name: string): Tensor => tensors.get(name)!;
  const { peft, names } = await load(folder, tensors);
  await check.tensors("y_base", peft.baseModel.forward(want("x")), want("y_base"));
  for (const name of names) {
    peft.setAdapter(name);
    await check.tensors(`y_${name}`, peft.forward(want("x")), want(`y_${name}`));
  }
  if (!meta.mixed_names) return check.outcome();
  await check.tensors("y_mixed", peft.forward(want("rows"), { adapterNames: meta.mixed_names }), want("y_mixed"));
  peft.setAdapter(names);
  await check.tensors("y_both", peft.forward(want("x")), want("y_both"));
  await check.tensors("y_disabled", await peft.withAdapterDisabled(() => peft.forward(want("x"))), want("y_disabled"));
  const merged = peft.mergeAndUnload();
  for (const [name, value] of withPrefix(tensors, "merged.")) await check.tensors(`merged ${name}`, merged.weights.get(name)!, value);
  return check.outcome();
}

interface Combined {
  readonly sources: string;
  readonly tolerance: number;
  readonly arguments: {
    readonly adapters: readonly string[];
    readonly weights: readonly number[];
    readonly combination_type: CombineOptions["combinationType"];
    readonly svd_rank?: number;
    readonly svd_clamp?: number;
    readonly density?: number;
    readonly majority_sign_method?: "total" | "frequency";
  };
}

/** A case of `add_weighted_adapter`: ΔW of every module, and the result with the new adapter. */
export async function runWeightedCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Combined>(folder, "case.json");
  const check = new Comparison(meta.tolerance);
  const home = join(dirname(folder), meta.sources);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const sources = await readTensors(join(home, "case.safetensors"), device);
  const { peft } = await load(home, sources);
  const {
    adapters,
    weights,
    combination_type: combinationType,
    svd_rank: rank,
    svd_clamp: svdClamp,
    density,
    majority_sign_method: majoritySignMethod,
  } = meta.arguments;
  const masks = [...withPrefix(tensors, "mask.")].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, mask]) => mask);
  const options = { combinationType, rank, svdClamp, density, majoritySignMethod, ...(masks.length > 0 && { masks }) };
  await peft.addWeightedAdapter(adapters, weights, "w", Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined)));
  peft.setAdapter("w");
  for (const [path, delta] of withPrefix(tensors, "delta.")) {
    const { params, context } = peft.state("w").layers.get(path)![0]!;
    await check.tensors(`delta ${path}`, LORA.delta!(params, context as AdapterContext<LoraConfigFields>), delta);
  }
  await check.tensors("y_adapter", peft.forward(sources.get("x")!), tensors.get("y_adapter")!);
  return check.outcome();
}
