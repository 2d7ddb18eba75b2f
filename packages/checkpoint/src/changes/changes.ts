import type { Change, ChangeOptions } from "./change.js";
import { CapabilityError, type WeftErrorKind } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import {
  type AdapterTensor,
  assertMatch,
  matchAdapter,
  type MatchedModule,
  type MatchReport,
  type OpenedAdapter,
  readAdapterTensor,
} from "@weft/adapter-files";
import type { ScaledAdapter } from "../source/scaled-adapter.js";
import { refuseQuantized } from "./quantized-targets.js";
import { type DerivedStep, derivedSteps } from "./derived-parameters.js";
import { followTied } from "./follow-tied.js";
import { initialSteps } from "./initial-factors.js";
import { inlineTensor, type RowPatch, type MergeOp, type TensorLocation } from "../plan/tensor-job.js";
import { mergeBlocker } from "./merge-blocker.js";
import { placesOf, wholeWeight } from "./places.js";
import { sameData } from "./same-data.js";
import { probeStep } from "../plan/tile-graph.js";
import { isSavedEmbedding, replaceTensor, tokenIndices } from "./whole-tensors.js";

/** What steps are made with beside the adapter. */
interface StepOptions extends ChangeOptions {
  readonly read: ReadValues;
  readonly derived: ReadonlyMap<string, DerivedStep>;
}

/** Values of tensors that a file does not hold as they are computed with, by name. */
type ReadValues = ReadonlyMap<string, Float32Array | Int32Array>;

/** Turned the other way round (mlx-lm's factors), or integers that become i32. */
const isRead = ({ transposed, dtype }: AdapterTensor): boolean => transposed === true || dtype === "I16" || dtype === "I64";

function refuseUnmergeable({ path, adapter }: ScaledAdapter): void {
  const blocker = mergeBlocker(adapter);
  if (!blocker) return;
  const { kind, why, hint } = blocker;
  throw new CapabilityError(`${path}: ${why}`, { kind, file: `${path}/adapter_config.json`, hint });
}

/** Matches every adapter and collects what they do, by tensor name. @throws MatchError, ShapeError, ConfigError, CapabilityError */
export async function collectChanges(
  base: WeightSource,
  adapters: readonly ScaledAdapter[],
  options: ChangeOptions,
): Promise<{ readonly changes: ReadonlyMap<string, Change>; readonly reports: readonly MatchReport[] }> {
  const changes = new Map<string, Change>();
  const reports: MatchReport[] = [];
  for (const scaled of adapters) {
    refuseUnmergeable(scaled);
    const report = await matchAdapter(scaled.adapter, base, { model: options.model });
    refuseQuantized(report, options, scaled.path);
    assertMatch(report, scaled.adapter);
    reports.push(report);
    if (scaled.scale === 0) continue;
    const read = await readValues(scaled.adapter, report);
    const initial = await initialSteps(base, scaled, report, options);
    const derived = await derivedSteps(base, scaled, report, options);
    const whole = followTied(report, scaled.adapter, options.tie);
    await addChanges(changes, scaled, whole, { ...options, base, read, initial, derived, alone: adapters.length === 1 });
  }
  for (const [name, { weight }] of changes) {
    if (weight !== undefined && changes.get(weight)?.steps.some(({ kind }) => kind === "initial"))
      throw new CapabilityError(
        `${name}: what an adapter does to it depends on ${weight}, which the initialisation of another one has changed`,
        {
          kind: "order",
          tensor: name,
          hint: "merge one of them first, and the other into the result",
        },
      );
  }
  return { changes, reports };
}

async function addChanges(
  changes: Map<string, Change>,
  scaled: ScaledAdapter,
  report: MatchReport,
  options: StepOptions & {
    readonly base: WeightSource;
    readonly initial: ReadonlyMap<string, MergeOp>;
    readonly alone: boolean;
  },
): Promise<void> {
  const { adapter } = scaled;
  const of = (name: string): Change => {
    const change = changes.get(name) ?? { added: false, resized: false, steps: [], patches: [] };
    changes.set(name, change);
    return change;
  };
  const lost = options.unmerge
    ? (report.replaced.find(({ tensor }) => !isSavedEmbedding(adapter, tensor))?.name ?? report.tokens[0]?.weight)
    : undefined;
  if (lost !== undefined)
    throw new CapabilityError(`${scaled.path}: the adapter replaced ${lost}; what was there before is not in the merged checkpoint`, {
      kind: "not-unmergeable",
      tensor: lost,
      file: scaled.path,
      hint: "keep the base checkpoint",
    });
  for (const { name, tensor, change } of options.unmerge ? [] : report.replaced) {
    // The base's own embedding, saved along.
    const copy = change === "replaced" && isSavedEmbedding(adapter, tensor);
    if (copy && (await sameData(options.base.info(name), stored(adapter, tensor), options.files))) continue;
    await replaceTensor(name, of(name), stored(adapter, tensor), change, scaled, options.files);
  }
  for (const module of report.matched) {
    const tokens = options.alone && !report.placements.has(module.weight) ? replacedRows(scaled, module) : undefined;
    if (tokens && !options.unmerge) {
      of(module.weight).patches.push(tokens);
      continue;
    }
    const whole = stepOf(scaled, module, report, options);
    const changed = probe(scaled, module, whole);
    const step = { ...whole, params: Object.fromEntries(Object.entries(whole.params).filter(([name]) => changed.reads.has(name))) };
    const initial = options.initial.get(module.path);
    if (initial) takeOutFirst(of(module.weight).steps, initial, scaled, module);
    if (changed.weight)
      for (const { tensor, place } of placesOf(options.base, report, module.weight, scaled.path)) {
        const { steps, patches } = of(tensor);
        if (patches.length > 0) throw changesRows(scaled, tensor);
        steps.push({ ...step, kind: options.unmerge ? "unmerge" : "weight", ...(place && { place }) });
      }
    if (!changed.bias) continue;
    if (options.unmerge)
      throw new CapabilityError(`${module.path}: what ${adapter.method} added to the bias is not taken out of it`, {
        kind: "not-unmergeable",
        tensor: module.path,
        hint: "keep the base checkpoint",
      });
    for (const { tensor, place } of placesOf(options.base, report, module.bias!, scaled.path)) {
      const bias = of(tensor);
      bias.steps.push({ ...step, kind: "bias", ...(place && { place }) });
      if (changed.biasReadsWeight) bias.weight = wholeWeight(report, module, scaled.path);
    }
  }
  for (const { weight, tensor } of report.tokens)
    of(weight).patches.push({ indices: tokenIndices(adapter, tensor), rows: stored(adapter, tensor) });
}

/** Rows are replaced behind all steps, so no step may come after them. */
const changesRows = ({ path }: ScaledAdapter, weight: string): CapabilityError =>
  new CapabilityError(`${path}: it changes ${weight}, of which an adapter before it replaces rows`, {
    kind: "order",
    tensor: weight,
    file: path,
    hint: "merge the adapter with the trained tokens first, and this one into the result; or name it last",
  });

/** Loading changes the base before anything is merged; a second such adapter would have to decompose what the first one left. */
function takeOutFirst(steps: MergeOp[], initial: MergeOp, { path }: ScaledAdapter, { weight }: MatchedModule): void {
  if (steps.some(({ kind }) => kind === "initial"))
    throw new CapabilityError(`${path}: another adapter's initialisation has changed ${weight} already`, {
      kind: "base-changed-by-init",
      tensor: weight,
      file: path,
      hint: "merge one of them first, and the other into the result",
    });
  steps.unshift(initial);
}

/** Trained tokens as trained replace rows as they are, in tiles of any size; at another strength, or among other adapters, they are a step like any other. */
function replacedRows({ adapter, scale }: ScaledAdapter, { config, tensors }: MatchedModule): RowPatch | undefined {
  const rows = tensors.get("rows");
  if (adapter.method !== "TRAINABLE_TOKENS" || scale !== 1 || !rows) return undefined;
  return { indices: config.tokenIndices as readonly number[], rows: stored(adapter, rows) };
}

function stepOf(
  { path, adapter, scale }: ScaledAdapter,
  module: MatchedModule,
  { shared }: MatchReport,
  { safeMerge, autocastAdapterDtype, read, derived }: StepOptions,
): Omit<MergeOp, "kind"> {
  const { layer } = module;
  if (!layer)
    throw new CapabilityError(
      `${module.weight}: ${module.method} cannot be merged into this weight: the method is not supported, or the weight is none of floating-point numbers`,
      { kind: "unsupported-method", tensor: module.weight, file: path },
    );
  const place = (tensor: AdapterTensor): TensorLocation => {
    const values = isRead(tensor) ? read.get(tensor.name) : undefined;
    return values ? inlineTensor({ values, shape: tensor.shape }) : stored(adapter, tensor);
  };
  const common = [...shared].map(([name, p]) => [name, "tensor" in p ? place(p.tensor) : inlineTensor(p)] as const);
  const own = [...module.tensors].map(([name, tensor]) => [name, place(tensor)] as const);
  const found = derived.get(module.path);
  return {
    method: module.method,
    config: { ...(found?.config ?? module.config) },
    layer,
    scale,
    safeMerge,
    autocastAdapterDtype,
    params: { ...Object.fromEntries([...common, ...own]), ...found?.params },
  };
}

/** Whether the step changes the module's weight, and its bias; what cannot be merged at all is refused here, before anything is written. */
function probe({ path, adapter }: ScaledAdapter, module: MatchedModule, step: Omit<MergeOp, "kind">): ReturnType<typeof probeStep> {
  try {
    return probeStep(step, adapter.methods, module.bias !== undefined);
  } catch (error) {
    if (!(error instanceof CapabilityError)) throw error;
    throw new CapabilityError(`${module.weight}: ${error.message}`, {
      kind: error.kind as WeftErrorKind<"capability">,
      tensor: module.weight,
      file: path,
      hint: error.hint ?? "keep the adapter unmerged",
    });
  }
}

async function readValues(adapter: OpenedAdapter, { matched, shared }: MatchReport): Promise<ReadValues> {
  const common = [...shared.values()].flatMap((p) => ("tensor" in p ? p.tensor : []));
  const tensors = [...common, ...matched.flatMap((module) => [...module.tensors.values()])].filter(isRead);
  const read = tensors.map(async (tensor) => {
    const values = await (await readAdapterTensor(adapter.weights, tensor)).data();
    return [tensor.name, values as Float32Array | Int32Array] as const;
  });
  return new Map(await Promise.all(read));
}

/** Where a tensor lies, or those of its rows that are meant, in the axes that the method wants. */
function stored(adapter: OpenedAdapter, { name, shape, rows }: AdapterTensor): TensorLocation {
  const info = adapter.weights.info(name);
  const row = info.bytes / (info.shape[0] ?? 1);
  const [start, stop] = rows ?? [0, info.shape[0] ?? 1];
  return {
    file: info.file,
    offset: info.offset + (rows ? start * row : 0),
    bytes: rows ? (stop - start) * row : info.bytes,
    dtype: info.dtype,
    shape,
  };
}
