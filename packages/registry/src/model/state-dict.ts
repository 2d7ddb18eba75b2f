import { isTokens } from "./trainable-tokens.js";
import { type Attached, cast, type Tensor } from "@weft/tensor-core";
import { sharedKeys, writeAdapterConfig } from "@weft/adapter-files";
import { type AdapterState, ownNames, sharedSpecs } from "./adapter-state.js";

const TUNER = "base_model.model.";

/** The tensors of an adapter under the names that PEFT gives them in a file. @see peft `utils/save_and_load.py` get_peft_model_state_dict */
export function stateDict(state: AdapterState): Map<string, Tensor> {
  if (state.prompt)
    return new Map([...Object.entries(state.prompt.saved), ...[...state.replaced].map(([name, t]) => [`${TUNER}${name}`, t] as const)]);
  const result = new Map<string, Tensor>();
  const raw = rawOrder(state);
  for (const [path, attached] of state.layers) {
    for (const one of attached) {
      const { layer } = one.context;
      const isOwn = one === attached[0] && !isTokens(one);
      const owner = wrapped(layer.kind === "parameter" ? moduleOf(path, raw) : path, state);
      const inside = isOwn || state.config.peftType === one.method.name ? "" : "token_adapter.";
      const keys = one.method.keys(layer);
      // What has no name in the file is an expert's, which has a file of its own.
      for (const name of ownNames(one).filter((own) => keys[own]))
        result.set(`${TUNER}${owner}.${inside}${keys[name]![0]}`, one.params[name]!);
    }
  }
  for (const [name, tensor] of sharedOf(state)) result.set(`base_model.${name}`, tensor);
  for (const [name, tensor] of state.replaced) result.set(`${TUNER}${replacedName(name, state)}`, tensor);
  return result;
}

/** A path as PEFT has it: a module inside an adapted one (`out_proj` of a multi-head attention) lies in its base layer. */
function wrapped(path: string, { layers }: AdapterState): string {
  const parts = path.split(".");
  return parts
    .map((part, i) => (i < parts.length - 1 && layers.has(parts.slice(0, i + 1).join(".")) ? `${part}.base_layer` : part))
    .join(".");
}

/** Raw parameters by module, in the order in which the module registers them. */
function rawOrder({ layers }: AdapterState): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const [path, [first]] of layers) {
    if ((first as Attached).context.layer.kind !== "parameter") continue;
    const module = path.slice(0, path.lastIndexOf("."));
    result.set(module, [...(result.get(module) ?? []), path]);
  }
  return result;
}

/** PEFT wraps a module once per parameter; the first one is innermost. */
function moduleOf(path: string, raw: ReadonlyMap<string, readonly string[]>): string {
  const module = path.slice(0, path.lastIndexOf("."));
  const order = raw.get(module)!;
  return module + ".base_layer".repeat(order.length - 1 - order.indexOf(path));
}

function sharedOf({ shared, layers, config }: AdapterState): (readonly [string, Tensor])[] {
  const sharing = [...layers.values()].find(([first]) => first?.method.shared)?.[0]!.method.shared;
  const specs = sharedSpecs(layers, config);
  const kept = (config.values as { readonly saveProjection?: boolean }).saveProjection !== false;
  return Object.entries(shared).flatMap(([name, tensor]) => {
    const { trainable, dtype = tensor.dtype } = specs[name]!;
    return kept || trainable ? [[sharedKeys(sharing!, name)[0]!, cast(tensor, dtype)] as const] : [];
  });
}

/** A trained bias of an adapted module stays with the layer that the adapter wraps; so does an embedding that was saved along. */
function replacedName(name: string, state: AdapterState): string {
  const { layers, config } = state;
  const dot = name.lastIndexOf(".");
  const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
  const saved = (config.values as { readonly modulesToSave?: readonly string[] | null }).modulesToSave ?? [];
  return layers.has(path) && !saved.some((entry) => path.endsWith(entry)) ? `${wrapped(path, state)}.base_layer.${part}` : name;
}

/** What `adapter_config.json` says. */
export function configText(state: AdapterState): string {
  return writeAdapterConfig({ ...state.config, values: { ...state.config.values, inferenceMode: true } });
}
