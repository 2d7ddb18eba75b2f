import { observeReads } from "@weft/io-safetensors";
import type { LongCallOptions } from "@weft/tensor-core";
import { attachAdapter } from "../attach.js";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { AdapterState } from "./adapter-state.js";
import type { Experts } from "./expert-state.js";
import { type HookedModel, onModel } from "./hooked-model.js";
import { hostOf } from "./host-of.js";
import { stateOfAttached } from "./state-of-attached.js";

export interface LoadAdapterOptions extends LongCallOptions {
  /** Go on although the config asks for something, or the file holds something, that is not known here, and so cannot be done. */
  readonly allowUnknownFields?: boolean;
  /** Hold the adapter in f32 whatever its file holds (default), or in the dtype of the weights that it is for: PEFT's `autocast_adapter_dtype`. */
  readonly autocastAdapterDtype?: boolean;
  /** The adapters that this one mixes, opened, by their names in its config (X-LoRA). */
  readonly experts?: Experts;
}

/**
 * Reads an adapter for a model: a prompt, one whose layers have all in common, or one on layers.
 * @throws ConfigError if the config asks for what is not known; MatchError, ShapeError if it does not wholly fit
 */
export async function loadState(
  model: HookedModel<never, unknown>,
  opened: OpenedAdapter,
  { allowUnknownFields = false, autocastAdapterDtype = true, experts, ...call }: LoadAdapterOptions,
): Promise<AdapterState> {
  const { method, prompt } = opened.methods.get(opened.method) ?? {};
  const config = onModel(opened.config, method, model);
  const adapter = { ...opened, config, weights: observeReads(opened.weights, call) };
  const host = hostOf(model, method);
  const options = { allowUnknownFields };
  // What few adapters need is loaded for those that do.
  if (prompt) return (await import("./on-demand.js")).loadPrompt(adapter, model, host, options);
  if (isSharedOnly(adapter)) return (await import("./on-demand.js")).stateOfShared(adapter, model, options);
  const mixed =
    method?.mix &&
    (await (await import("./on-demand.js")).mixedLayers(method, config, experts, model, { ...options, autocastAdapterDtype }));
  const attached = await attachAdapter(adapter, host, {
    ...options,
    autocastAdapterDtype,
    allowPlaced: true,
    ...(mixed && { layers: mixed.attached }),
  });
  return { ...(await stateOfAttached(adapter, attached, model)), ...(mixed && { experts: mixed.experts }) };
}

/** Whether a file holds only what all layers share, so that its layers follow from the config and the model (Uni-LoRA without places). */
function isSharedOnly({ methods, method, modules, shared }: OpenedAdapter): boolean {
  return methods.get(method)?.method?.allot !== undefined && modules.size === 0 && shared.size > 0;
}
