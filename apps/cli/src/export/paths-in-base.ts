import type { WeightSource } from "@weft/io-safetensors";
import { type AdapterModule, assertMatch, matchAdapter, type OpenedAdapter, readAdapterConfig } from "@weft/adapter-files";
import type { ConvertModule } from "@weft/convert";
import { viewCheckpoint } from "@weft/checkpoint/node";

/**
 * Gives LoRA modules the paths that a base has for them (`model.language_model.layers.0…` for `model.layers.0…`).
 * @param modules linear layers, all of one rank
 * @param adapter that they are of
 * @throws MatchError, ShapeError if one has no place in the base
 */
export async function pathsInBase(
  modules: readonly ConvertModule[],
  adapter: OpenedAdapter,
  checkpoint: WeightSource,
): Promise<ConvertModule[]> {
  const asPeft = {
    ...adapter,
    method: "LORA",
    config: readAdapterConfig({ peft_type: "LORA", r: modules[0]!.rank }, { methods: adapter.methods }),
    modules: new Map(modules.map((module) => [module.path, loraOf(module)])),
  };
  const { base, model } = await viewCheckpoint(checkpoint, [asPeft]);
  const report = await matchAdapter(asPeft, base, { model });
  assertMatch(report, adapter);
  const paths = new Map(report.matched.map(({ id, path }) => [id, path]));
  return modules.map((module) => ({ ...module, path: paths.get(module.path)! }));
}

function loraOf({ path, label, parameters }: ConvertModule): AdapterModule {
  const factors = [
    ["lora_A.weight", "lora_down.weight"],
    ["lora_B.weight", "lora_up.weight"],
  ] as const;
  const tensors = factors.map(([name, lycoris]) => {
    const { dtype, shape } = parameters.get(lycoris)!;
    return [name, { name: `${label}.${name}`, dtype, shape }] as const;
  });
  return { path, depth: 0, tensors: new Map(tensors) };
}
