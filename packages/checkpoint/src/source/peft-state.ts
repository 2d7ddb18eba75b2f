import type { WeightSource } from "@weft/io-safetensors";
import { CapabilityError } from "@weft/tensor-core";
import { renamedSource } from "./renamed-source.js";

/** A model that was saved with PEFT's wrappers in it, taken apart. */
export interface PeftState {
  /** The model under its own names. */
  readonly base: WeightSource;
  /** The adapter inside under the names of PEFT's files; undefined if only the wrappers' prefix is left. */
  readonly adapter: WeightSource | undefined;
}

const VOCABULARY =
  /(embed_tokens|lm_head|wte|word_embeddings|tok_embeddings|embed_in|embed_out|shared)(\.token_adapter)?\.base_layer\.weight$/;
const PREFIX = "base_model.model.";
/** Wrappers' names in front of a wrapped module's own tensors. */
const WRAPPED = /^(.*?)(?:\.token_adapter)?\.(?:base_layer|original_module)\.(.*)$/;

/**
 * Takes a model apart that was saved unmerged: what lies below `base_layer` and `original_module` is the base's, what else its modules have is the
 * adapter's, and the rest are modules that no adapter is on. An adapter's own file is no such model.
 * @returns undefined for other checkpoints
 * @throws CapabilityError kind `unmerged-peft` if there are several adapters inside
 */
export function splitPeftState(weights: WeightSource): PeftState | undefined {
  const all = [...weights.names()];
  const wrapped = new Set<string>();
  for (const name of all) {
    const path = WRAPPED.exec(without(name))?.[1];
    if (path !== undefined) wrapped.add(path);
  }
  const prefixed = all.filter((name) => name.startsWith(PREFIX)).length;
  if (wrapped.size === 0 && prefixed < all.length) return undefined;
  const [base, adapter] = [new Map<string, string>(), new Map<string, string>()];
  for (const name of all) {
    const plain = without(name);
    const [, path, part] = WRAPPED.exec(plain) ?? [];
    const owner = path ?? ownerOf(plain, wrapped);
    if (path !== undefined) base.set(`${path}.${part}`.replace(/\.base_layer(?=\.)/g, ""), name);
    else if (owner !== undefined || ADAPTER_PART.test(plain)) adapter.set(PREFIX + plain, name);
    else base.set(plain, name);
  }
  const names = [...base.keys()];
  // An adapter's file may hold the frozen embedding and head, and trained biases, but no other layer's weight.
  const layer = all.some((name) => name.endsWith(".base_layer.weight") && !VOCABULARY.test(name));
  const whole = adapter.size === 0 && names.some((name) => /embed|wte/.test(name)) && names.some((name) => /norm|\.ln_/.test(name));
  if (!layer && !whole) return undefined;
  const inside = adapterNames(adapter.keys());
  if (inside.size > 1)
    throw new CapabilityError(`${weights.location}: this model was saved unmerged with several adapters in it: ${[...inside].join(", ")}`, {
      kind: "unmerged-peft",
      file: weights.location,
      hint: "load it with PEFT, and save the model and each adapter apart",
    });
  const files = new Map([...adapter].map(([name, real]) => [withoutAdapterName(name, inside), real]));
  return { base: renamedSource(weights, base), adapter: files.size > 0 ? renamedSource(weights, files) : undefined };
}

/** Refuses a model with an adapter in it that was never merged. @throws CapabilityError kind `unmerged-peft` */
export function unmergedPeft(location: string, { adapter }: PeftState): CapabilityError {
  const [example] = adapter!.names();
  return new CapabilityError(`${location}: this model was saved unmerged: it holds an adapter of its own (${example})`, {
    kind: "unmerged-peft",
    file: location,
    hint: `merge that one first: weft merge ${location} -o MERGED (with --alpha, where no adapter_config.json is beside it)`,
  });
}

const without = (name: string): string => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name);

/** Parameters of adapters, where the model was wrapped in place and its modules kept their names. */
const ADAPTER_PART = /\.(lora_[A-Za-z_]+|ia3_l|hada_\w+|lokr_\w+|trainable_tokens_delta)(\.|$)/;

/** The wrapped module that a tensor lies in. */
function ownerOf(name: string, wrapped: ReadonlySet<string>): string | undefined {
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1))
    if (wrapped.has(name.slice(0, dot))) return name.slice(0, dot);
  return undefined;
}

/** Names of adapters: the part that stands behind a parameter's (`lora_A.default.weight`, `modules_to_save.default.weight`). */
function adapterNames(names: Iterable<string>): Set<string> {
  const found = [...names].flatMap((name) => NAMED.exec(name)?.[1] ?? []);
  return new Set(found.filter((name) => name !== "weight" && name !== "bias"));
}

const NAMED = /\.(?:lora_[A-Za-z_]+|ia3_l|hada_\w+|lokr_\w+|modules_to_save|trainable_tokens_delta)\.([^.]+)/;

/** PEFT's rule for its files: the name goes at the very end, else right before the last part. */
function withoutAdapterName(name: string, adapters: ReadonlySet<string>): string {
  const parts = name.split(".");
  const at = adapters.has(parts.at(-1)!) ? -1 : adapters.has(parts.at(-2)!) ? -2 : undefined;
  return at === undefined ? name : parts.toSpliced(at, 1).join(".");
}
