import type { BaseTensors } from "../report/base-index.js";
import { placeBox, placeJoined, type Placement, placeStack, placeTransposed, placeWhole } from "../report/placement.js";
import type { ModelKind } from "./model-kind.js";
import { projectionSizes } from "./projection-sizes.js";
import { type Conversion, type Converted, createConverter, type Operation } from "./conversion.js";

/** A checkpoint's tensors under the names that a model of transformers gives them. */
export interface ModelNames {
  /** Weights whose names in the model are no tensors of the checkpoint, and where they lie. */
  readonly placements: ReadonlyMap<string, Placement>;
  /**
   * Where a weight lies by a name of any time: as it is on disk, or as older releases had it in the model.
   * @returns undefined if the checkpoint has no such weight
   */
  place(name: string): { readonly name: string; readonly placement: Placement | undefined } | undefined;
  /** What a name on disk is in the model, where values do not change. */
  rename(name: string): string;
  /** Why a module's weight, or another parameter of it, cannot be told from tensors of the checkpoint that it is made of; undefined if it is made of none. */
  refusal(path: string): string | undefined;
}

/** Reads a checkpoint's names as transformers does, by one of its lists of conversions. @param model what tells the sizes of parts */
export function modelNames(base: BaseTensors, conversions: readonly Conversion[], model: ModelKind | undefined): ModelNames {
  const convert = createConverter(conversions);
  const stored = new Set(base.names());
  const placements = new Map<string, Placement>();
  const groups = new Map<string, Source[]>();
  /** Weights of the model that are not made of the tensors on disk, and one of those. */
  const unmade = new Map<string, Source>();
  for (const name of stored) {
    const converted = convert(name);
    const [key] = converted.names as [string];
    if (!converted.by) {
      if (key !== name && !stored.has(key)) placements.set(key, placeWhole(name, base.info(name)));
    } else if (!converted.names.some((target) => stored.has(target))) {
      const group = groups.get(key) ?? [];
      groups.set(key, group);
      group.push({ name, converted });
    }
  }
  for (const group of groups.values()) {
    const made = putTogether(group, base, model);
    for (const [key, placement] of made) placements.set(key, placement);
    if (made.length === 0) for (const key of group[0]!.converted.names) unmade.set(key, group[0]!);
  }
  const find = (name: string): Placement | undefined =>
    placements.get(name) ?? (stored.has(name) ? placeWhole(name, base.info(name)) : undefined);
  return {
    placements,
    rename: (name) => {
      const { names, by } = convert(name);
      return by ? name : names[0]!;
    },
    refusal(path) {
      const [name, source] = [...unmade].find(([key]) => key.startsWith(`${path}.`)) ?? [];
      if (name !== undefined) return unfollowed(name, source!.name, source!.converted.by!.operations);
      const { names, by } = convert(`${path}.weight`);
      return by && names.every(find) ? unfollowed(`${path}.weight`, names.join(", "), by.operations) : undefined;
    },
    place(name) {
      const { names, by } = convert(name);
      if (!by) {
        const [key] = names as [string];
        return find(key) && { name: key, placement: placements.get(key) };
      }
      const found = names.map(find);
      if (found.some((placement) => placement === undefined)) return undefined;
      const placement = takeApart(found as Placement[], by);
      return placement && { name, placement };
    },
  };
}

type Followed = Exclude<Operation, readonly ["other", string]>;

interface Source {
  readonly name: string;
  readonly converted: Converted;
}

/** Why values do not follow an adapter through operations; undefined if they would, were nothing missing. */
function unfollowed(name: string, where: string, operations: readonly Operation[]): string | undefined {
  const other = operations.find(([kind]) => kind === "other");
  if (other)
    return `${name}: the base has it in ${where}, whose values transformers rearranges on loading (${other[1]}); adapters are not followed through that: save the model with transformers as it is in memory (save_original_format=False), and use that`;
  const split = operations.some(([kind]) => kind === "split");
  return split
    ? `${name}: the base has it in ${where}; the sizes of its parts are in the base's config.json (num_attention_heads, num_key_value_heads, head_dim), which do not tell or do not fit`
    : undefined;
}

/** The weights of the model that tensors on disk become; none if they are incomplete, or if values change otherwise. */
function putTogether(group: readonly Source[], base: BaseTensors, model: ModelKind | undefined): [string, Placement][] {
  const { names, by } = group[0]!.converted;
  const { operations, sources } = by!;
  let lists = Array.from({ length: sources }, (_, source) =>
    group
      .filter(({ converted }) => converted.by!.source === source)
      .sort((a, b) => (a.converted.by!.expert ?? 0) - (b.converted.by!.expert ?? 0)),
  ).map((list) => list.map(({ name }) => placeWhole(name, base.info(name))));
  const experts = group.map(({ converted }) => converted.by!.expert ?? 0);
  const count = lists[0]!.length;
  if (count === 0 || lists.some((list) => list.length !== count) || Math.max(...experts) !== count - 1) return [];
  const named = (parts: readonly Placement[]): [string, Placement][] => parts.map((part, i) => [names[i]!, part]);
  let whole: Placement | undefined;
  // Also behind a chunk: its parts are rearranged, too.
  if (operations.some(([kind]) => kind === "other")) return [];
  for (const [kind, axis = 0] of operations as Followed[]) {
    const flat = lists.flat();
    if (kind === "stack" && alike(lists)) lists = lists.map((list) => [placeStack(list)]);
    else if (kind === "join" && lists.every((list) => list.length === 1) && joinable(flat, axis)) lists = [[placeJoined(flat, axis)]];
    else if (kind === "transpose" && flat.every(({ shape }) => shape.length - axis === 2))
      lists = lists.map((list) => list.map(placeTransposed));
    else if (kind === "chunk" && flat.length === 1) return named(chunks(flat[0]!, axis, names.length));
    else if (kind === "split" && flat.length === 1) return named(cutAt(flat[0]!, axis, projectionSizes(names, model)));
    else if (kind !== "orient") return [];
  }
  if (lists.length === 1 && lists[0]!.length === 1) [whole] = lists[0]!;
  return whole ? [[names[0]!, whole]] : [];
}

const alike = (lists: readonly (readonly Placement[])[]): boolean =>
  lists.every(([first, ...rest]) => rest.every(({ shape }) => shape.join() === first!.shape.join()));

const joinable = ([first, ...rest]: readonly Placement[], axis: number): boolean =>
  axis < first!.shape.length &&
  rest.every(({ shape }) => shape.length === first!.shape.length && shape.every((d, i) => i === axis || d === first!.shape[i]));

function chunks(whole: Placement, axis: number, count: number): Placement[] {
  const length = whole.shape[axis]! / count;
  return Number.isInteger(length) ? cutAt(whole, axis, Array<number>(count).fill(length)) : [];
}

/** Parts of these sizes; none if they are not the whole, or not known. */
function cutAt(whole: Placement, axis: number, sizes: readonly number[] | undefined): Placement[] {
  if (sizes?.reduce((sum, size) => sum + size, 0) !== whole.shape[axis]) return [];
  const front = whole.shape.slice(0, axis).map((d) => [0, d] as const);
  let stop = 0;
  return sizes!.map((size) => placeBox(whole, [...front, [stop, (stop += size)]]));
}

/** The tensor that was on disk, in weights of the model that it became a part of (or that it became): the operations backwards. */
function takeApart(
  weights: readonly Placement[],
  { operations, source, sources, expert }: NonNullable<Converted["by"]>,
): Placement | undefined {
  let [current] = weights as [Placement];
  if (operations.some(([kind]) => kind === "other")) return undefined;
  for (const [kind, axis = 0] of operations.toReversed() as Followed[]) {
    if (kind === "stack") {
      if (expert === undefined || expert >= current.shape[axis]! || axis !== 0) return undefined;
      current = placeBox(current, [expert]);
    } else if (kind === "join") {
      const part = chunks(current, axis, sources)[source];
      if (!part) return undefined;
      current = part;
    } else if (kind === "chunk" || kind === "split") {
      if (!joinable(weights, axis)) return undefined;
      current = placeJoined(weights, axis);
    } else if (kind === "transpose" && current.shape.length - axis === 2) current = placeTransposed(current);
    else if (kind !== "orient") return undefined;
  }
  return current;
}
