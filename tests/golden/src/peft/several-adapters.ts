import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { LORA, type LoraConfigFields } from "@weft/adapters-lora";
import type { CombineOptions } from "@weft/convert";
import { PeftModel } from "@weft/registry";
import { loadAdapter, savePretrained } from "@weft/registry/node";
import type { AdapterContext, Device, Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { withFolder } from "../folder.js";
import { readJson, readTensors, withPrefix } from "./files.js";
import { bytesOf, checkCheckpointMerge, checkMerge } from "./merging.js";
import { type CaseMeta, type Peft, type Subject, subjectOf } from "./subject.js";

interface Sources extends CaseMeta {
  readonly mixed_names?: readonly string[];
}

/** Where `savePretrained` puts an adapter, and PEFT. */
const folderOf = (home: string, name: string): string => (name === "default" ? home : join(home, name));

/** A model with adapters of a folder, under the names of their sub-folders. */
async function load(subject: Subject, home: string, names: readonly string[]): Promise<Peft> {
  const peft: Peft = new PeftModel(subject.model, ADAPTER_METHODS);
  for (const name of names) await loadAdapter(peft as never, folderOf(home, name), name);
  return peft;
}

const namesIn = (folder: string): string[] => readdirSync(folder).filter((name) => existsSync(join(folder, name, "adapter_config.json")));

/** Each adapter alone, several active, a batch of mixed rows, all disabled, all merged, all saved and loaded again. */
export async function runSeveralAdapters(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Sources>(folder, "case.json");
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const subject = await subjectOf(folder, meta, tensors, device);
  const check = new Comparison(subject.tolerance);
  const want = (name: string): Tensor => tensors.get(name)!;
  const names = namesIn(folder);
  const peft = await load(subject, folder, names);
  check.exact("adapters", [peft.adapterNames, peft.activeAdapters], [names, names.slice(0, 1)]);
  await check.tensors("y_base", subject.run(subject.model), want("y_base"));
  await withFolder(async (out) => {
    await savePretrained(peft as never, out);
    const again = await load(subject, out, names);
    for (const name of names) {
      for (const each of [peft, again]) each.setAdapter(name);
      const y = subject.run(peft);
      await check.tensors(`y_${name}`, y, want(`y_${name}`));
      check.bytes(`y_${name} of what was saved`, await bytesOf(subject.run(again)), await bytesOf(y));
    }
  });
  if (!meta.mixed_names) return check.outcome();
  for (const prepared of [false, true]) {
    if (prepared) await peft.prepareBatch(names);
    const mixed = peft.forward(want("rows"), { adapterNames: meta.mixed_names }) as Tensor;
    await check.tensors(`y_mixed${prepared ? ", prepared" : ""}`, mixed, want("y_mixed"));
  }
  peft.setAdapter(names);
  await check.tensors("y_both", subject.run(peft), want("y_both"));
  await check.tensors("y_disabled", await peft.withAdapterDisabled(() => subject.run(peft)), want("y_disabled"));
  const merged = { weights: withPrefix(tensors, "merged."), output: want("y_both") };
  await checkMerge(check, subject, peft, merged);
  await checkCheckpointMerge(check, subject, { adapters: names.map((name) => ({ path: join(folder, name) })) }, merged);
  peft.setAdapter(names[0]!);
  peft.mergeAdapter({ adapterNames: names });
  await check.tensors("y_both, merged by name", subject.run(peft), want("y_both"));
  return check.outcome();
}

interface Combined {
  readonly sources: string;
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

/** A case of `add_weighted_adapter`: ΔW of every module, and the result with the new adapter, unmerged, merged, and saved and loaded again. */
export async function runWeightedCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Combined>(folder, "case.json");
  const home = join(dirname(folder), meta.sources);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const subject = await subjectOf(
    home,
    readJson<Sources>(home, "case.json"),
    await readTensors(join(home, "case.safetensors"), device),
    device,
  );
  const check = new Comparison(subject.tolerance);
  const peft = await load(subject, home, namesIn(home));
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
  const y = subject.run(peft);
  await check.tensors("y_adapter", y, tensors.get("y_adapter")!);
  peft.mergeAdapter();
  await check.tensors("y_merged", subject.run(peft), tensors.get("y_adapter")!);
  await withFolder(async (out) => {
    await savePretrained(peft as never, out, { adapterNames: ["w"] });
    const again = await load(subject, out, ["w"]);
    check.bytes("y_adapter of what was saved", await bytesOf(subject.run(again)), await bytesOf(y));
  });
  return check.outcome();
}
