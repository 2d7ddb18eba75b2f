import {
  add,
  type Attached,
  type BaseLayer,
  CapabilityError,
  cast,
  concat,
  ConfigError,
  evaluate,
  forwardAdapters,
  forwardBase,
  gather,
  type LayerSpec,
  less,
  type LoraBank,
  loraBank,
  type LowRankFactors,
  maximum,
  type MethodTable,
  multiLora,
  tensor,
  Tensor,
  where,
} from "@weft/tensor-core";
import { actsInPlaces, takesTasks } from "./active-adapters.js";
import type { AdapterState } from "./adapter-state.js";
import { isWhole, type LayerHook } from "./hooked-model.js";

/** The name that stands for a row without an adapter. */
export const BASE = "__base__";

const indexOf = (values: readonly number[]): Tensor => tensor(Int32Array.from(values), { shape: [values.length] });

/** The factors of what `multiLora` runs: plain LoRAs on linear layers. */
function factorsOf([only, more]: readonly Attached[]): LowRankFactors | undefined {
  if (more !== undefined || only!.context.layer.kind !== "linear") return undefined;
  return only!.method.factors?.(only!.params, only!.context);
}

/** The LoRAs of a layer side by side, and whose they are. */
interface LayerBank {
  readonly names: readonly string[];
  readonly bank: LoraBank;
}

/** Adapters made ready for batches that mix them. */
export interface PreparedBatch {
  /** Position in this list is what an adapter's number in a batch's index means. */
  readonly names: readonly string[];
  readonly banks: ReadonlyMap<string, LayerBank>;
}

/** Puts the plain LoRAs of all layers, and what is one in another form (LoHa, LoKr), side by side, once, so that a pass need not. */
export async function prepareBatch(given: ReadonlyMap<string, AdapterState>, methods: MethodTable): Promise<PreparedBatch> {
  const { asLoraState } = await import("./as-lora-state.js");
  const states = new Map<string, AdapterState>();
  for (const [name, state] of given) {
    const lora = await asLoraState(state, methods);
    states.set(name, typeof lora === "string" ? state : lora);
  }
  const banks = new Map<string, LayerBank>();
  for (const path of new Set([...states.values()].flatMap(({ layers }) => [...layers.keys()]))) {
    const found = bankAt(path, states);
    if (found) banks.set(path, found);
  }
  await evaluate(...[...banks.values()].flatMap(({ bank: { a, b } }) => [a, b]));
  return { names: [...states.keys()], banks };
}

function bankAt(path: string, states: ReadonlyMap<string, AdapterState>): LayerBank | undefined {
  const plain = [...states].flatMap(([name, { layers }]) => {
    const attached = layers.get(path);
    const factors = attached && factorsOf(attached);
    return factors ? [{ name, ...factors }] : [];
  });
  if (plain.length === 0) return undefined;
  const bank = loraBank(
    plain.map(({ A }) => A),
    plain.map(({ B }) => B),
    plain.map(({ scale }) => scale),
  );
  return { names: plain.map(({ name }) => name), bank };
}

/** Which adapter each row of a batch has: names, `__base__` for none; or numbers in a prepared batch, i32 [rows], -1 for none. */
export type RowAdapters = readonly string[] | Tensor;

/**
 * A hook for a batch in which every row has its own adapter, or none. The base's product runs once for all rows; plain LoRAs of any ranks are one
 * product on top (`multiLora`); adapters of other kinds run on their rows alone, which must then be known by name.
 */
export function mixedHook(states: ReadonlyMap<string, AdapterState>, rows: RowAdapters, prepared?: PreparedBatch): LayerHook {
  const banks = new Map<string, LayerBank | undefined>(prepared?.banks);
  const count = rows instanceof Tensor ? rows.shape[0]! : rows.length;
  return (path, layer, base, x) => {
    if (x.shape[0] !== count) throw new ConfigError(`${path}: the batch has ${x.shape[0]} rows, but adapters of ${count} were given`);
    const at = new Map([...states].flatMap(([name, { layers }]) => (layers.has(path) ? [[name, layers.get(path)!] as const] : [])));
    if (at.size === 0) return undefined;
    if (!banks.has(path)) banks.set(path, bankAt(path, states));
    const found = banks.get(path);
    const below = forwardBase(layer, base, x);
    const y = found ? cast(add(below, multiLora(x, rowIndex(rows, found, prepared), found.bank)), below.dtype) : below;
    const others = [...at.keys()].filter((name) => !found?.names.includes(name));
    if (others.length === 0) return y;
    if (rows instanceof Tensor)
      throw new CapabilityError(`${path}: adapter "${others[0]}" is no plain LoRA: give its rows by name, not by number`);
    const parts = others.map((name) => rowsOf(name, rows, at.get(name)!, layer, base, x, below));
    return replaceRows(y, parts, count);
  };
}

/** Each row's place in a layer's bank, -1 for none. */
function rowIndex(rows: RowAdapters, { names }: LayerBank, prepared: PreparedBatch | undefined): Tensor {
  if (!(rows instanceof Tensor)) return indexOf(rows.map((name) => names.indexOf(name)));
  // An adapter's number counts all adapters; its place only those that this layer has.
  const places = prepared!.names.map((name) => names.indexOf(name));
  const place = gather(indexOf(places), maximum(rows, 0), 0);
  return places.every((p, i) => p === i) ? rows : where(less(rows, 0), rows, place);
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

/** Checks that adapters can act on some rows of a batch and leave the others alone. @throws CapabilityError naming the first that cannot */
export function assertPerRow(states: ReadonlyMap<string, AdapterState>): void {
  for (const [name, state] of states) {
    const { layers, replaced, expected, placed, prompt, config } = state;
    const raw = [...layers].find(([, attached]) => attached.some(({ context }) => context.layer.kind === "parameter"));
    const inside = [...layers.values()].some(([first]) => first!.method.begin || isWhole(first!.context.layer));
    const whole = [...replaced.keys(), ...expected.keys(), ...(raw ? [raw[0]] : []), ...(placed?.keys() ?? [])][0];
    const reasons = [
      (prompt || inside || actsInPlaces(state)) && "looks at whole inputs",
      takesTasks(state) && "takes a task per row",
      whole && `changes ${whole} for all rows`,
    ];
    const why = reasons.find(Boolean);
    if (why) throw new CapabilityError(`adapter "${name}" (${config.peftType}) ${why}: it cannot be used for some rows of a batch`);
  }
}
