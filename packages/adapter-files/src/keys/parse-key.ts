/**
 * One tensor name of a PEFT file, taken apart. Paths are those of the base model, without `base_model.model.` and `base_layer`.
 *
 * - `parameter`: of the method at a module. `key` is the name behind the module as the method's definition lists it (`lora_A.weight`).
 *   `depth` counts the wrappers between: with several `target_parameters` of one module the innermost has the greatest depth.
 *   `inside`: the adapted module that the module is a part of (`out_proj` of a multi-head attention).
 * - `shared`: of the method, for all modules (`vera_A`, `prompt_embeddings`).
 * - `module`: replaces a tensor of the base (`modules_to_save`).
 * - `bias`: a trained bias of the base; `adapted` if its module carries an adapter.
 * - `embedding`: the base embedding as it was saved along; replaces, is never added.
 * - `tokens`: rows that replace rows of an embedding (`trainable_token_indices`).
 * - `original`: what a saved module was before training; nothing uses it.
 * - `unknown`: none of these; must be reported.
 */
export type AdapterKey =
  | { readonly kind: "parameter"; readonly path: string; readonly key: string; readonly depth: number; readonly inside?: string }
  | { readonly kind: "shared"; readonly key: string }
  | { readonly kind: "module"; readonly path: string; readonly key: string }
  | { readonly kind: "bias"; readonly path: string; readonly key: "bias"; readonly adapted: boolean }
  | { readonly kind: "embedding"; readonly path: string; readonly key: "weight"; readonly adapted: boolean }
  | { readonly kind: "tokens"; readonly path: string; readonly key: string }
  | { readonly kind: "original" }
  | { readonly kind: "unknown" };

/** What the meaning of a key depends on besides its text. */
export interface KeyContext {
  /** How the method's parameter names begin; `""` for prompt methods. */
  readonly prefix: string;
  /** All names behind a module, of a method whose parameter names have no beginning in common (T-LoRA). */
  readonly keys?: ReadonlySet<string>;
  readonly modulesToSave: readonly string[];
  /** The config trains biases (`bias` is not `none`). */
  readonly biases: boolean;
  /** Left over in names of files that were written without PEFT's renaming; `default` if not given. */
  readonly adapterName?: string;
}

/** Longer names belong to no module: real ones stay below 200 characters, and matching looks at every part. */
export const MAX_KEY_LENGTH = 4096;

const TUNER = "base_model.model.";
const WRAPPER = "base_model.";

/** Module names under which transformers models keep their embeddings; PEFT saves them along when they were resized. */
const EMBEDDINGS = new Set(["embed_tokens", "lm_head", "wte", "word_embeddings", "tok_embeddings", "embed_in", "embed_out", "shared"]);

/** Takes one tensor name of a PEFT adapter apart. Names without `base_model.model.` are read as paths of the base. @see peft `utils/save_and_load.py` */
export function parseKey(name: string, context: KeyContext): AdapterKey {
  const { prefix } = context;
  if (name.length > MAX_KEY_LENGTH) return { kind: "unknown" };
  const inTuner = name.startsWith(TUNER);
  if (!inTuner && !name.includes(".")) return isOwn(name, context) ? { kind: "shared", key: name } : { kind: "unknown" };
  const inWrapper = !inTuner && name.startsWith(WRAPPER);
  const parts = name.slice(inTuner ? TUNER.length : inWrapper ? WRAPPER.length : 0).split(".");
  if (parts.includes("original_module")) return { kind: "original" };
  const saved = savedModule(parts, context) ?? wrappedModule(parts, context);
  if (saved) return saved;
  if (inWrapper) return prefix === "" ? { kind: "unknown" } : { kind: "shared", key: withoutAdapter(parts, context).join(".") };
  const at =
    prefix === ""
      ? parts.findIndex((_, i) => context.keys?.has(withoutAdapter(parts.slice(i), context).join(".")))
      : parts.findLastIndex((part) => part.startsWith(prefix));
  if (parts.at(-1)?.startsWith("trainable_tokens_") && parts.at(-2) === "token_adapter")
    return { kind: "tokens", path: pathOf(parts.slice(0, -2)), key: parts.at(-1)! };
  if (at >= 1) {
    const owner = parts.slice(0, at);
    const depth = owner.length - 1 - owner.findLastIndex((part) => part !== "base_layer");
    const inner = owner.slice(0, owner.length - depth);
    const wrapper = inner.lastIndexOf("base_layer");
    const inside = wrapper > 0 ? { inside: pathOf(inner.slice(0, wrapper)) } : {};
    return { kind: "parameter", path: pathOf(owner), key: withoutAdapter(parts.slice(at), context).join("."), depth, ...inside };
  }
  return baseTensor(parts, context);
}

/** A tensor of the base that was saved along. */
function baseTensor(parts: readonly string[], { biases }: KeyContext): AdapterKey {
  const last = parts.at(-1);
  const owner = parts.slice(0, -1);
  const adapted = owner.at(-1) === "base_layer";
  const path = pathOf(owner);
  if (last === "bias" && path !== "" && (adapted || biases)) return { kind: "bias", path, key: "bias", adapted };
  if (last === "weight" && (adapted || EMBEDDINGS.has(owner.at(-1) ?? ""))) return { kind: "embedding", path, key: "weight", adapted };
  return { kind: "unknown" };
}

/** `modules_to_save` matches by plain `endswith` at the module, and takes everything inside it. */
function savedModule(parts: readonly string[], context: KeyContext): AdapterKey | undefined {
  if (context.modulesToSave.length === 0) return undefined;
  // Files of PEFT before 0.5 and of some trainers kept the wrapper's own name.
  const clean = withoutAdapter(parts, context).filter((part) => part !== "modules_to_save");
  if (clean.length < 2 || clean.includes("base_layer") || clean.includes("token_adapter")) return undefined;
  const paths = clean.slice(0, -1).map((_, i) => clean.slice(0, i + 1).join("."));
  const at = paths.findIndex((path) => context.modulesToSave.some((entry) => path.endsWith(entry)));
  if (at < 0) return undefined;
  // An adapter's parameter inside stays one; a module may still be called like a parameter (`lora_head`).
  if (context.prefix !== "" && clean.slice(at + 1).some((part) => part.startsWith(context.prefix))) return undefined;
  return { kind: "module", path: paths.at(-1)!, key: clean.at(-1)! };
}

/** A saved module under its wrapper's name is one, whatever the config lists: tied layers are saved so. */
function wrappedModule(parts: readonly string[], context: KeyContext): AdapterKey | undefined {
  const [owner, key] = [withoutAdapter(parts, context).slice(0, -1), withoutAdapter(parts, context).at(-1)!];
  return owner.at(-1) === "modules_to_save" ? { kind: "module", path: pathOf(owner.slice(0, -1)), key } : undefined;
}

/** PEFT's rule: the adapter's name goes at the very end, else right before the last part; nowhere else. */
function withoutAdapter(parts: readonly string[], { adapterName = "default" }: KeyContext): readonly string[] {
  if (parts.length > 1 && parts.at(-1) === adapterName) return parts.slice(0, -1);
  return parts.length > 2 && parts.at(-2) === adapterName ? [...parts.slice(0, -2), parts.at(-1)!] : parts;
}

const pathOf = (parts: readonly string[]): string => parts.filter((part) => part !== "base_layer" && part !== "token_adapter").join(".");
const PROMPT_TENSORS = /^(prompt_embeddings|prefix_task_(cols|rows)|cartridge_.*|prompt_encoder.*)$/;
const isOwn = (name: string, { prefix }: KeyContext): boolean => (prefix === "" ? PROMPT_TENSORS.test(name) : name.startsWith(prefix));
