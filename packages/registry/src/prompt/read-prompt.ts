import { assertSaved, promptConfig, promptOf } from "@weft/tensor-core/prompt";
import { fromCoreDType } from "@weft/io-safetensors";
import { assertKnownFields, CapabilityError, type Tensor } from "@weft/tensor-core";
import { type AdapterTensor, assertMatch, matchAdapter, type OpenedAdapter, readAdapterTensor } from "@weft/adapter-files";
import type { AttachedPrompt, PromptHost } from "./attach-prompt.js";

/**
 * Reads an adapter of a prompt method whole, and checks it against a model.
 * @throws CapabilityError if it is no prompt; ConfigError, ShapeError, MatchError if it does not fit the model
 */
export async function readPrompt(
  adapter: OpenedAdapter,
  host: PromptHost,
  { allowUnknownFields = false }: { readonly allowUnknownFields?: boolean } = {},
): Promise<AttachedPrompt> {
  const method = adapter.methods.get(adapter.method)?.prompt;
  if (!method)
    throw new CapabilityError(`${adapter.method} is not a prompt method`, {
      kind: "unsupported-method",
      hint: "it changes layers; attach it with attachAdapter",
    });
  if (!allowUnknownFields) assertKnownFields(Object.fromEntries(adapter.config.unknown), Object.keys(method.fields), adapter.method);
  const config = promptConfig(method, adapter.config.values, host.sizes);
  assertSaved(method, config, (name) => adapter.shared.get(name)?.shape);
  const info = (name: string): { dtype: string; shape: readonly number[] } => {
    const { shape, dtype } = host.tensor(name)!;
    return { shape, dtype: fromCoreDType(dtype) };
  };
  const report = await matchAdapter(adapter, { names: () => host.names(), info });
  assertMatch(report, adapter);
  const read = (tensor: AdapterTensor): Promise<Tensor> => readAdapterTensor(adapter.weights, tensor);
  const saved: { [name: string]: Tensor } = {};
  for (const name of Object.keys(method.saved(config))) saved[name] = await read(adapter.shared.get(name)!);
  const replaced = new Map<string, Tensor>();
  for (const { name, tensor } of report.replaced) replaced.set(name, await read(tensor));
  return { method, config, saved, replaced, prompt: (options) => promptOf(method, config, saved, options) };
}
