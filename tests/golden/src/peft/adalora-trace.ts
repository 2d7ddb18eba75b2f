import { join } from "node:path";
import { AdaLoraConfig, type AdaLoraParams, pruneTriplets, RankAllocator } from "@weft/adapters-lora";
import { ADAPTER_METHODS } from "@weft/methods";
import { loadPeftModel } from "@weft/registry/node";
import type { Device, Params, Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors, withPrefix } from "./files.js";
import { NetModel } from "./net-model.js";
import { computationOf, toleranceOf } from "../tolerance.js";

interface Trace {
  readonly budgets: readonly (readonly [budget: number, due: boolean])[];
}

const NAMES = { A: "lora_A", E: "lora_E", B: "lora_B" } as const;

/** `<prefix><module>.lora_A.default` of both modules. */
function paramsOf(tensors: ReadonlyMap<string, Tensor>, prefix: string): { [path: string]: Params } {
  const own = withPrefix(tensors, prefix);
  const pick = (path: string): Params =>
    Object.fromEntries(Object.entries(NAMES).map(([name, key]) => [name, own.get(`${path}.${key}.default`)!]));
  return { lin0: pick("lin0"), lin1: pick("lin1") };
}

/** Ranks under recorded gradients: budgets, E after each step, what is saved at the end, and the result with it. */
export async function runAdaLoraTrace(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Trace>(folder, "case.json");
  const json = readJson<{ rank_pattern: { [name: string]: boolean[] } }>(folder, "adapter_config.json");
  const config = new AdaLoraConfig({ ...json, rank_pattern: null });
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const linear = { type: "Linear" };
  const model = new NetModel("mlp", { lin0: linear, lin1: linear, head: linear }, withPrefix(tensors, "base."));
  const check = new Comparison(toleranceOf(computationOf(model.layers())));
  const allocator = new RankAllocator(config);
  let params: { [path: string]: Params } = paramsOf(tensors, "start.");
  for (const [i, [budget, due]] of meta.budgets.entries()) {
    const step = i + 1;
    check.exact(`budget ${step}`, Object.values(allocator.budget(step, 2)), [budget, due]);
    const E = await allocator.update(step, params, paramsOf(tensors, `grads.${step}.`) as AdaLoraParams);
    params = Object.fromEntries(Object.entries(params).map(([path, p]) => [path, { ...p, E: E[path]! }]));
    for (const path of Object.keys(params))
      await check.tensors(`E of ${path} after step ${step}`, E[path]!, tensors.get(`e.${step}.${path}.lora_E.default`)!);
  }
  for (const [path, keep] of Object.entries(allocator.ranks!)) check.exact(`ranks of ${path}`, keep, json.rank_pattern[`${path}.lora_E`]);

  const saved = await readTensors(join(folder, "adapter_model.safetensors"), device);
  const pruned = Object.fromEntries(Object.entries(params).map(([path, p]) => [path, pruneTriplets(p, allocator.ranks![path]!)]));
  for (const [path, p] of Object.entries(pruned))
    for (const [name, key] of Object.entries(NAMES))
      await check.tensors(`saved ${path}.${key}`, p[name]!, saved.get(`base_model.model.${path}.${key}`)!);

  const peft = await loadPeftModel(model, folder, { methods: ADAPTER_METHODS });
  await check.tensors("y_adapter", peft.forward(tensors.get("x")!), tensors.get("y_adapter")!);
  peft.setParameters({ ...peft.parameters(), layers: pruned });
  await check.tensors("y_adapter of the trace", peft.forward(tensors.get("x")!), tensors.get("y_adapter")!);
  return check.outcome();
}
