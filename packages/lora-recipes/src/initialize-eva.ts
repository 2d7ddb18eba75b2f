import { IncrementalPca } from "@weft/adapters-lora/starts";
import type { LoraConfigFields } from "@weft/adapters-lora";
import { cast, ConfigError, type Tensor, tensor, throwIfAborted, zeros } from "@weft/tensor-core";
import { matrix, type Matrix } from "@weft/tensor-core/linalg";
import { sameValues } from "@weft/registry";
import type { PeftModel } from "@weft/registry";
import { applyStart, type Start } from "./apply-start.js";
import { distributeRanks } from "./distribute-ranks.js";
import { recordInputs, type StartLayer, type StartOptions, startTarget } from "./start.js";

type Eva = NonNullable<LoraConfigFields["evaConfig"]>;
const DEFAULTS: Eva = { rho: 2, tau: 0.99, useLabelMask: true, labelMaskValue: -100, whiten: false, adjustScalingFactors: true };

/** Rounds over the batches after which components that do not settle are an error. */
const MOST_ROUNDS = 1000;

/** Components of the inputs of one or several layers, which see the same. */
interface Recorder {
  readonly pca: IncrementalPca;
  readonly size: number;
  /** Which components moved little with the last batch. */
  settled: readonly boolean[];
}

/** Which tokens of language inputs count: not padded, and with `useLabelMask` those that have a label. Undefined for other inputs. */
async function tokenMask(inputs: unknown, { useLabelMask, labelMaskValue }: Eva): Promise<boolean[] | undefined> {
  const { attentionMask, labels } = inputs as { readonly attentionMask?: Tensor; readonly labels?: Tensor };
  const values = async (t: Tensor | undefined): Promise<number[] | undefined> => t && Array.from((await t.data()) as Int32Array, Number);
  const [mask, label] = [await values(attentionMask), useLabelMask ? await values(labels) : undefined];
  const length = (mask ?? label)?.length;
  if (length === undefined) return undefined;
  return Array.from({ length }, (_, i) => (mask?.[i] ?? 1) !== 0 && (label === undefined || label[i] !== labelMaskValue));
}

async function rowsOf(x: Tensor, mask: readonly boolean[] | undefined): Promise<Matrix> {
  const [n, cols] = x.shape as [number, number];
  const data = (await cast(x, "f32").data()) as Float32Array;
  const kept = Array.from({ length: n }, (_, i) => i).filter((i) => mask?.[i] ?? true);
  return matrix(
    kept.length,
    cols,
    Float64Array.from({ length: kept.length * cols }, (_, i) => data[kept[Math.floor(i / cols)]! * cols + (i % cols)]!),
  );
}

/** Cosines of the same row in both. */
function cosines(a: Matrix, b: Matrix): number[] {
  return Array.from({ length: a.rows }, (_, i) => {
    let [ab, aa, bb] = [0, 0, 0];
    for (let j = i * a.cols; j < (i + 1) * a.cols; j++) {
      ab += a.data[j]! * b.data[j]!;
      aa += a.data[j]! ** 2;
      bb += b.data[j]! ** 2;
    }
    return ab / Math.sqrt(aa * bb);
  });
}

/** A layer → the first one that sees the same inputs. */
async function sharedInputs(layers: readonly StartLayer[], seen: ReadonlyMap<string, Tensor>): Promise<Map<string, string>> {
  const leaders = new Map<string, string>();
  for (const { path } of layers) {
    let leader = path;
    for (const other of new Set(leaders.values())) if (await sameValues(seen.get(other)!, seen.get(path)!)) leader = other;
    leaders.set(path, leader);
  }
  return leaders;
}

/**
 * Gives a LoRA the start of EVA (Paischer et al. 2024), PEFT's `initialize_lora_eva_weights`: A is the principal components of each layer's inputs, B is 0,
 * and ranks go where the components explain most. Batches are taken in turns until the components stand still (`eva_config.tau`). Layers whose rank comes
 * to 0 leave the adapter; those that are not linear keep their start.
 * @throws ConfigError if the adapter is no new, plain LoRA, if batches have fewer rows than components, or if components do not settle; CancelledError
 */
export async function initializeLoraEvaWeights<I>(
  peft: PeftModel<I, unknown>,
  batches: readonly I[],
  options: StartOptions = {},
): Promise<void> {
  const target = startTarget(peft as never, "EVA", options, "keep");
  const { layers, state } = target;
  const values = state.config.values as unknown as LoraConfigFields;
  const eva = values.evaConfig ?? DEFAULTS;
  const [first] = batches;
  if (first === undefined) throw new ConfigError("EVA needs at least one batch of inputs");
  const paths = new Set(layers.map(({ path }) => path));
  const leaders = await sharedInputs(layers, await recordInputs(peft.baseModel, first, paths));
  const most = new Map<string, number>();
  for (const { path, config } of layers) {
    const leader = leaders.get(path)!;
    most.set(leader, Math.max(most.get(leader) ?? 0, Math.round(config.r * eva.rho)));
  }
  const recorders = new Map<string, Recorder>(
    [...most].map(([path, size]) => [path, { pca: new IncrementalPca(size), size, settled: [] }]),
  );
  let ranks: ReadonlyMap<string, number> = new Map(layers.map(({ path }) => [path, most.get(leaders.get(path)!)!]));
  const isDone = (leader: string): boolean => {
    const { settled } = recorders.get(leader)!;
    const needed = Math.max(...layers.filter(({ path }) => leaders.get(path) === leader).map(({ path }) => ranks.get(path)!));
    return settled.length > 0 && settled.slice(0, needed).every(Boolean);
  };
  for (let step = 0; ; step++) {
    throwIfAborted(options.signal);
    const open = [...recorders.keys()].filter((leader) => !isDone(leader));
    options.onProgress?.(recorders.size - open.length, recorders.size);
    if (open.length === 0) break;
    if (step >= MOST_ROUNDS * batches.length)
      throw new ConfigError(`EVA: the components of ${open[0]} do not settle`, { hint: "give more batches, or a smaller tau" });
    const inputs = batches[step % batches.length]!;
    const mask = await tokenMask(inputs, eva);
    for (const [leader, x] of await recordInputs(peft.baseModel, inputs, new Set(open))) {
      const recorder = recorders.get(leader)!;
      const rows = await rowsOf(x, mask);
      if (rows.rows < recorder.size || rows.cols < recorder.size) continue;
      const before = recorder.pca.components;
      recorder.pca.add(rows);
      if (before) recorder.settled = cosines(recorder.pca.components!, before).map((cosine) => cosine >= eva.tau);
    }
    const waiting = [...recorders].find(([, { pca }]) => !pca.components);
    if (!waiting) ranks = distributeRanks(layers, leaders, new Map([...recorders].map(([path, { pca }]) => [path, pca.varianceShares])));
    else if (step >= batches.length - 1)
      throw new ConfigError(`EVA: no batch has ${waiting[1].size} rows for the components of ${waiting[0]}`, {
        hint: "larger batches, or a smaller rank or rho",
      });
  }
  const starts = new Map<string, Start>();
  for (const { path, config, attached } of layers) {
    const r = ranks.get(path)!;
    if (r > 0) starts.set(path, startOf(recorders.get(leaders.get(path)!)!.pca, r, config, eva, attached.params["B"]!.shape[0]!));
  }
  const left = [...state.layers.keys()].filter((path) => !paths.has(path) || starts.has(path));
  const pattern = (field: "r" | "loraAlpha"): object =>
    Object.fromEntries(
      layers.flatMap(({ path, config }) => {
        const value = starts.get(path) && { ...config, ...starts.get(path)!.config }[field];
        return value !== undefined && value !== values[field] ? [[path, value]] : [];
      }),
    );
  applyStart(peft as never, target, starts, {
    initLoraWeights: "eva",
    evaConfig: eva,
    targetModules: left,
    rankPattern: pattern("r"),
    alphaPattern: pattern("loraAlpha"),
  });
}

function startOf(pca: IncrementalPca, r: number, config: LoraConfigFields, { whiten, adjustScalingFactors }: Eva, out: number): Start {
  const { cols, data } = pca.components!;
  const A = Float32Array.from(
    { length: r * cols },
    (_, i) => data[i]! / (whiten ? Math.sqrt(pca.singularValues[Math.floor(i / cols)]!) : 1),
  );
  const loraAlpha = adjustScalingFactors ? (config.loraAlpha * r) / config.r : config.loraAlpha;
  return { factors: { A: tensor(A, { shape: [r, cols] }), B: zeros([out, r]) }, config: { r, loraAlpha } };
}
