import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { type LayerHook, LlamaForCausalLM } from "@weft/models";
import { attachAdapter, layersFor } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { CapabilityError, compile, type Device, forwardAdapters, mergeBias, mergeWeight, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { checkSave, checkTraining, kindOf, peftOf } from "./evidence.js";
import { readJson, readTensors, withPrefix } from "./files.js";
import { methodLabel } from "./net-case.js";

/** Whether something is beyond what a method can do. */
function refuses(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    return error instanceof CapabilityError;
  }
}

/** Runs a case of make_peft.py over the tiny Llama: logits with and without mask; unless the adapter cannot be merged, merged weights and their logits. */
export async function runLlamaCase(folder: string, home: string, meta: { readonly tolerance: number }, device: Device): Promise<Outcome> {
  const check = new Comparison(meta.tolerance);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const [ids, mask] = [tensors.get("ids")!, tensors.get("mask")!];
  const source = await openWeights(home);
  const model = await LlamaForCausalLM.load(readJson(home, "config.json"), source, { device });
  await source.close();
  const logits = (m: LlamaForCausalLM, hook?: LayerHook): Tensor => m.forward({ inputIds: ids, attentionMask: mask }, hook).logits;
  await check.tensors("y_base", logits(model), tensors.get("y_base")!);

  const adapter = await openAdapterFolder(folder, { methods: ADAPTER_METHODS });
  try {
    const layers = new Map(model.layers().map(({ path, layer }) => [path, layer]));
    const attached = await attachAdapter(adapter, {
      layer: (path) => layers.get(path),
      tensor: (name) => model.weights.get(name),
      values: (name) => model.weights.get(name),
      names: () => model.weights.keys(),
      order: () => layers.keys(),
    });
    const base = model.withWeights(attached.replaced);
    const hookFor = (inputIds: Tensor): LayerHook => {
      const active = layersFor(attached.layers, inputIds);
      return (path, layer, below, x) => {
        const a = active.get(path);
        return a && forwardAdapters(layer, below, [a], x);
      };
    };
    await check.tensors("y_adapter", logits(base, hookFor(ids)), tensors.get("y_adapter")!);
    const compiled = compile((inputIds: Tensor) => base.forward({ inputIds }, hookFor(inputIds)).logits, { device });
    await check.tensors("y_adapter_nomask, compiled", await compiled(ids), tensors.get("y_adapter_nomask")!);
    compiled.dispose();
    const label = (adapter.config.values as { aloraInvocationTokens?: unknown }).aloraInvocationTokens
      ? `${adapter.method}, aLoRA`
      : methodLabel(adapter);
    check.about(label, [...new Set([...attached.layers.values()].map(({ context }) => kindOf(context.layer)))]);
    check.shows("load", "forward");
    const peft = await peftOf(model as never, adapter);
    await checkSave(check, peft, adapter, folder);
    if (!label.endsWith("DoRA"))
      await checkTraining(
        check,
        peft,
        (p) => (p.forward({ inputIds: ids, attentionMask: mask } as never, { dropoutKey: null }) as { logits: Tensor }).logits,
      );
    if (!tensors.has("y_merged")) {
      for (const [path, { method, params, context }] of attached.layers)
        check.exact(
          `merging ${path} is refused`,
          refuses(() => mergeWeight(method, base.weights.get(`${path}.weight`)!, params, context)),
          true,
        );
      return check.outcome();
    }

    const merged = new Map<string, Tensor>(attached.replaced);
    for (const [path, { method, params, context }] of attached.layers) {
      const weight = base.weights.get(`${path}.weight`)!;
      merged.set(`${path}.weight`, mergeWeight(method, weight, params, context));
      const bias = mergeBias(method, base.weights.get(`${path}.bias`), params, context);
      if (bias) merged.set(`${path}.bias`, bias);
    }
    for (const [name, want] of withPrefix(tensors, "merged.")) await check.tensors(`merged ${name}`, merged.get(name)!, want);
    check.shows("merge");
    await check.tensors("y_merged", logits(model.withWeights(merged)), tensors.get("y_merged")!);
  } finally {
    await adapter.weights.close();
  }
  return check.outcome();
}
