import { LORA, type LoraConfigFields, loraVariant } from "@weft/adapters-lora";
import {
  type AdapterContext,
  type Attached,
  CapabilityError,
  ConfigError,
  evaluate,
  type LongCallOptions,
  reshape,
  type Tensor,
} from "@weft/tensor-core";
import type { AdapterState } from "@weft/registry";
import type { HookedLayer, HookedModel } from "@weft/registry";
import type { PeftModel } from "@weft/registry";

/** `onProgress` counts layers, or batches. */
export interface StartOptions extends LongCallOptions {
  /** The adapter; the active one if not given. */
  readonly adapterName?: string;
}

/** A layer of a LoRA that gets a start. */
export interface StartLayer extends HookedLayer {
  readonly attached: Attached;
  readonly config: LoraConfigFields;
}

/** The adapter of a model that a start is for. */
export interface StartTarget {
  readonly name: string;
  readonly state: AdapterState;
  readonly layers: readonly StartLayer[];
}

/** @throws ConfigError if the adapter is no plain LoRA, or has changed its base already; CapabilityError for layers that are not linear, unless `others` lets them be */
export function startTarget(
  peft: PeftModel<never, unknown>,
  start: string,
  { adapterName }: StartOptions,
  others: "refuse" | "keep" = "refuse",
): StartTarget {
  const name = adapterName ?? peft.activeAdapters[0];
  if (name === undefined) throw new ConfigError(`${start}: no adapter is active`, { hint: "give adapterName" });
  const state = peft.state(name);
  const values = state.config.values as unknown as LoraConfigFields;
  const variant = state.config.peftType === LORA.name ? loraVariant(values)?.field : state.config.peftType;
  if (variant !== undefined) throw new ConfigError(`${start} is a start of plain LoRA, adapter "${name}" is ${variant}`);
  if (state.expected.size > 0) throw new ConfigError(`${start}: adapter "${name}" has another start, which changed the base`);
  const layers: StartLayer[] = [];
  for (const found of peft.baseModel.layers()) {
    const attached = state.layers.get(found.path)?.[0];
    if (!attached || (attached.method as unknown) !== LORA) continue;
    if (found.layer.kind !== "linear") {
      if (others === "keep") continue;
      throw new CapabilityError(`${start} is for linear layers, ${found.path} is of kind ${found.layer.kind}`, { tensor: found.path });
    }
    layers.push({ ...found, attached, config: (attached.context as AdapterContext<never>).config });
  }
  if (layers.length === 0) throw new ConfigError(`${start}: adapter "${name}" has no linear layer`);
  return { name, state, layers };
}

/** What goes into some layers of a model for some inputs, as rows [n, features] in f32. */
export async function recordInputs<I>(
  model: HookedModel<I, unknown>,
  inputs: I,
  paths: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Tensor>> {
  const seen = new Map<string, Tensor>();
  model.forward(inputs, (path, _, __, x) => {
    if (paths.has(path)) seen.set(path, reshape(x, [-1, x.shape.at(-1)!]));
    return undefined;
  });
  await evaluate(...seen.values());
  const missing = [...paths].find((path) => !seen.has(path));
  if (missing !== undefined) throw new ConfigError(`${missing} did not run in the model's forward pass`, { tensor: missing });
  return seen;
}
