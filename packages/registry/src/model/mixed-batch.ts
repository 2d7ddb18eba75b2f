import {
  add,
  type Attached,
  type BaseLayer,
  CapabilityError,
  cast,
  concat,
  ConfigError,
  equal,
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
  reshape,
  tensor,
  Tensor,
  where,
} from "@weft/tensor-core";
import { actsInPlaces, inPass, type Pass } from "./active-adapters.js";
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
  const plain = [...states].flatMap(([name, state]) => {
    const attached = actsInPlaces(state) ? undefined : state.layers.get(path);
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

/** A pass over a batch whose rows have adapters of their own. */
export interface MixedPass {
  readonly rows: RowAdapters;
  readonly prepared: PreparedBatch | undefined;
  /** By adapter. */
  readonly passes: ReadonlyMap<string, Pass>;
}

/**
 * A hook for a batch in which every row has its own adapter, or none. The base's product runs once for all rows; plain LoRAs of any ranks are one
 * product on top (`multiLora`). Adapters of other kinds run on their rows alone, or, where those are data, or what the adapter does needs the whole batch,
 * on all of them, of which theirs are taken.
 */
export function mixedHook(states: ReadonlyMap<string, AdapterState>, { rows, prepared, passes }: MixedPass): LayerHook {
  const banks = new Map<string, LayerBank | undefined>(prepared?.banks);
  const names = [...states.keys()];
  const numbers = rows instanceof Tensor ? rows : indexOf(rows.map((name) => names.indexOf(name)));
  const count = numbers.shape[0]!;
  // While one adapter's change of an attention or a block is made: what it runs of the layers inside is its own alone.
  let alone: string | undefined;
  const actsAlone = (name: string, layer: LayerSpec, base: BaseLayer, attached: readonly Attached[], x: Tensor): Tensor => {
    alone = name;
    try {
      return forwardAdapters(layer, base, inPass(attached, passes.get(name)!), x);
    } finally {
      alone = undefined;
    }
  };
  return (path, layer, base, x) => {
    if (alone !== undefined) {
      const inside = states.get(alone)!.layers.get(path);
      return inside && forwardAdapters(layer, base, inPass(inside, passes.get(alone)!), x);
    }
    if (x.shape[0] !== count) throw new ConfigError(`${path}: the batch has ${x.shape[0]} rows, but adapters of ${count} were given`);
    const at = new Map([...states].flatMap(([name, { layers }]) => (layers.has(path) ? [[name, layers.get(path)!] as const] : [])));
    if (at.size === 0) return undefined;
    if (!banks.has(path)) banks.set(path, bankAt(path, states));
    const found = banks.get(path);
    const below = forwardBase(layer, base, x);
    const y = found ? cast(add(below, multiLora(x, rowIndex(rows, found, prepared), found.bank)), below.dtype) : below;
    const others = [...at].filter(([name]) => !found?.names.includes(name) && (rows instanceof Tensor || rows.includes(name)));
    const takesAll = ([name]: (typeof others)[number]): boolean =>
      rows instanceof Tensor || isWhole(layer) || Object.keys(passes.get(name)!).length > 0;
    const parts = others
      .filter((one) => !takesAll(one))
      .map(([name, attached]) => rowsOf(name, rows as readonly string[], attached, layer, base, x, below));
    const forward = (given: Tensor): Tensor => (given === x ? below : forwardBase(layer, base, given));
    return others.filter(takesAll).reduce(
      (result, [name, attached]) => {
        const own = actsAlone(name, layer, { ...base, forward }, attached, x);
        return where(reshape(equal(numbers, names.indexOf(name)), [count, ...own.shape.slice(1).map(() => 1)]), own, result);
      },
      replaceRows(y, parts, count),
    );
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
  if (parts.length === 0) return y;
  const from = Array.from({ length: count }, (_, row) => row);
  let next = count;
  for (const { rows } of parts) for (const row of rows) from[row] = next++;
  return gather(concat([y, ...parts.map((part) => part.y)]), indexOf(from), 0);
}

/** Checks that adapters can act on some rows of a batch and leave the others alone. @throws CapabilityError naming the first that cannot */
export function assertPerRow(states: ReadonlyMap<string, AdapterState>): void {
  for (const [name, { layers, replaced, expected, placed, prompt, config }] of states) {
    const all = [...layers.values()].flat();
    const raw = [...layers].find(([, attached]) => attached.some(({ context }) => context.layer.kind === "parameter"));
    const across = all.find(({ method }) => method.acrossRows !== undefined);
    const whole = [...replaced.keys(), ...expected.keys(), ...(raw ? [raw[0]] : []), ...(placed?.keys() ?? [])][0];
    const reasons = [
      prompt && "puts positions in front of its rows, and all rows of a batch have one length",
      across && `looks at all rows: ${across.method.acrossRows}`,
      whole && `changes ${whole} for all rows`,
    ];
    const why = reasons.find(Boolean);
    if (why) throw new CapabilityError(`adapter "${name}" (${config.peftType}) ${why}: it cannot be used for some rows of a batch`);
  }
}
