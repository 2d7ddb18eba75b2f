import type { WholeTensor } from "./whole-tensor.js";
import { CapabilityError, type MethodTable } from "@weft/tensor-core";
import { type OpenedAdapter, parseConfigJson, readAdapterConfig, writeAdapterConfig } from "@weft/adapter-files";
import type { ConvertedFile } from "../targets/target.js";
import { type LazyTensor, lazyTensor } from "./lazy-tensor.js";

/** Saved modules, embeddings, trained biases and tokens of a PEFT adapter, by their names. */
export function wholeTensors(adapter: OpenedAdapter): Map<string, WholeTensor> {
  if (adapter.dialect !== "peft") return new Map();
  const { modulesToSave, bias, trainableTokenIndices } = adapter.config.values as { readonly [field: string]: unknown };
  const groups = [
    [adapter.modulesToSave, { modules_to_save: modulesToSave }],
    [adapter.embeddings, {}],
    [adapter.biases, { bias }],
    [adapter.trainableTokens, { trainable_token_indices: trainableTokenIndices }],
  ] as const;
  return new Map(
    groups.flatMap(([tensors, config]) =>
      [...tensors.values()].map(
        (tensor) => [tensor.name, { name: tensor.name, tensor: lazyTensor(adapter.weights, tensor), config }] as const,
      ),
    ),
  );
}

/**
 * A file of PEFT's with the whole tensors of the adapters that it comes from.
 * @throws CapabilityError kind `conflict` if two adapters bring different ones
 */
export async function withWholeTensors(file: ConvertedFile, whole: readonly WholeTensor[], methods: MethodTable): Promise<ConvertedFile> {
  if (whole.length === 0) return file;
  const tensors = new Map(file.tensors);
  const fields = parseConfigJson(file.config!);
  for (const { name, tensor, config } of whole) {
    const before = tensors.get(name);
    if (before && !(await same(before, tensor))) throw conflict(name, "two adapters bring different tensors of this name");
    tensors.set(name, tensor);
    for (const [field, value] of Object.entries(config)) {
      const old = fields[field];
      if (field === "modules_to_save") fields[field] = [...new Set([...((old ?? []) as string[]), ...((value ?? []) as string[])])];
      else if (field === "bias" || old === null || old === undefined) fields[field] = value;
      else if (JSON.stringify(old) !== JSON.stringify(value)) throw conflict(name, `two adapters have different ${field}`);
    }
  }
  return { ...file, tensors, config: writeAdapterConfig(readAdapterConfig(fields, { methods })) };
}

const conflict = (tensor: string, why: string): CapabilityError =>
  new CapabilityError(`${tensor}: ${why}; whole tensors do not add up`, {
    kind: "conflict",
    tensor,
    hint: "--allow-loss leaves all of them out; or merge the adapters one after the other",
  });

async function same(a: LazyTensor, b: LazyTensor): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  const [x, y] = [await a.read(), await b.read()];
  return x.every((byte, i) => byte === y[i]);
}
