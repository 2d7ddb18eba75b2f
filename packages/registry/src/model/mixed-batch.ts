import {
  add,
  type AdapterContext,
  type Attached,
  type BaseLayer,
  cast,
  concat,
  ConfigError,
  forwardAdapters,
  forwardBase,
  gather,
  type LayerSpec,
  type LoraBank,
  loraBank,
  multiLora,
  tensor,
  type Tensor,
} from "@weft/tensor-core";
import { LORA, type LoraConfigFields, loraScaling } from "@weft/adapters-lora";
import type { AdapterState } from "./adapter-state.js";
import type { LayerHook } from "./hooked-model.js";

/** The name that stands for a row without an adapter. */
export const BASE = "__base__";

const indexOf = (values: readonly number[]): Tensor => tensor(Int32Array.from(values), { shape: [values.length] });

/** True for the LoRAs that `multiLora` runs: plain ones on linear layers. */
function isPlainLora(layer: LayerSpec, attached: readonly Attached[]): boolean {
  const [only, more] = attached;
  return more === undefined && (only!.method as unknown) === LORA && layer.kind === "linear" && Object.keys(only!.params).length === 2;
}

/**
 * A hook for a batch in which every row has its own adapter, or none. The base's product runs once for all rows; plain LoRAs of any ranks are one
 * product on top (`multiLora`); adapters of other kinds run on their rows alone.
 * @param names one per row
 */
export function mixedHook(states: ReadonlyMap<string, AdapterState>, names: readonly string[]): LayerHook {
  const banks = new Map<string, { readonly bank: LoraBank; readonly index: Tensor }>();
  return (path, layer, base, x) => {
    if (x.shape[0] !== names.length)
      throw new ConfigError(`${path}: the batch has ${x.shape[0]} rows, but ${names.length} adapter names were given`);
    const at = new Map([...states].flatMap(([name, { layers }]) => (layers.has(path) ? [[name, layers.get(path)!] as const] : [])));
    if (at.size === 0) return undefined;
    const plain = [...at.keys()].filter((name) => isPlainLora(layer, at.get(name)!));
    let y = forwardBase(layer, base, x);
    const below = y;
    if (plain.length > 0) {
      let found = banks.get(path);
      if (!found)
        banks.set(
          path,
          (found = { bank: bankOf(plain.map((name) => at.get(name)![0]!)), index: indexOf(names.map((name) => plain.indexOf(name))) }),
        );
      y = cast(add(y, multiLora(x, found.index, found.bank)), y.dtype);
    }
    const others = [...at.keys()].filter((name) => !plain.includes(name));
    return others.length === 0
      ? y
      : replaceRows(
          y,
          others.map((name) => rowsOf(name, names, at.get(name)!, layer, base, x, below)),
          names.length,
        );
  };
}

function bankOf(attached: readonly Attached[]): LoraBank {
  const scale = ({ context }: Attached): number => {
    const { config, scale: factor } = context as unknown as AdapterContext<LoraConfigFields>;
    return loraScaling(config) * factor;
  };
  return loraBank(
    attached.map(({ params }) => params.A!),
    attached.map(({ params }) => params.B!),
    attached.map(scale),
  );
}

/** One adapter's rows, and their results. What the base gives for them is known already. */
function rowsOf(
  name: string,
  names: readonly string[],
  attached: readonly Attached[],
  layer: LayerSpec,
  base: BaseLayer,
  x: Tensor,
  below: Tensor,
): { rows: number[]; y: Tensor } {
  const rows = names.flatMap((other, row) => (other === name ? [row] : []));
  const index = indexOf(rows);
  const input = gather(x, index, 0);
  const forward = (given: Tensor): Tensor => (given === input ? gather(below, index, 0) : forwardBase(layer, base, given));
  return { rows, y: forwardAdapters(layer, { ...base, forward }, attached, input) };
}

/** `y` with some rows exchanged. */
function replaceRows(y: Tensor, parts: readonly { readonly rows: readonly number[]; readonly y: Tensor }[], count: number): Tensor {
  const from = Array.from({ length: count }, (_, row) => row);
  let next = count;
  for (const { rows } of parts) for (const row of rows) from[row] = next++;
  return gather(concat([y, ...parts.map((part) => part.y)]), indexOf(from), 0);
}
