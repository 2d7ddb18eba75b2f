import type { CausalInputs, CausalLM, CausalOutput, LayerCache } from "@weft/models";
import { PeftModel } from "@weft/registry";
import { compile, type CompiledFunction, ConfigError, type Device, dynamicSlice, type Tensor, update } from "@weft/tensor-core";
import { changedRows, type CacheShape, freeCache, holdsPositions } from "./cache-rows.js";

/** A causal model with adapters. */
export type AdaptedCausalLM = PeftModel<CausalInputs, CausalOutput>;

/** A causal model, with adapters or without. */
export type GenerativeModel = CausalLM | AdaptedCausalLM;

/** What a row of a step gets: tokens of which all but the first may turn out to be wrong, behind so many that are in the cache. */
export interface RowInput {
  readonly tokens: readonly number[];
  /** How many tokens of the row are in the cache. */
  readonly position: number;
  /** Its adapter's number, -1 for none; without meaning where no adapters are mixed. */
  readonly adapter: number;
}

/** How a pass takes adapters: by number per row, or those that are active. */
type AdapterIndex = Tensor | null;

type Prefill = (inputIds: Tensor, at: PrefillPlace, adapterIndex: AdapterIndex, isFirst: boolean, cache: readonly LayerCache[]) => Pass;
type Step = (inputIds: Tensor, position: Tensor, adapterIndex: AdapterIndex, cache: readonly LayerCache[]) => Pass;
/** Where a piece of a prompt goes; all i32 [1]. */
type PrefillPlace = { readonly row: Tensor; readonly position: Tensor; readonly last: Tensor };
type Pass = { readonly logits: Tensor; readonly cache: readonly LayerCache[] };

/** The causal model below, whatever is around it. @throws ConfigError for one that keeps nothing between passes */
export function causalBase(model: GenerativeModel): CausalLM {
  const base = (model instanceof PeftModel ? model.baseModel : model) as CausalLM;
  if (typeof base.emptyCache !== "function")
    throw new ConfigError("generation needs a causal language model, which keeps a cache between passes (`emptyCache`)", {
      hint: "an encoder gives embeddings: embed(model, tokenizer, texts)",
    });
  return base;
}

/**
 * Runs a model over the rows of one cache: pieces of a prompt into one row, and steps of all rows at once, each a plan of its own that serves all positions. The cache
 * is donated to each pass, so that it lies where it lies.
 */
export class BatchDecoder {
  readonly base: CausalLM;
  /** Whether the cache has a place for each position (attention), or a state (recurrences). */
  readonly holdsPositions: boolean;
  private readonly model: GenerativeModel;
  private readonly mixed: boolean;
  private readonly device: Device;
  private cache: readonly LayerCache[] = [];
  private plans: { readonly prefill: CompiledFunction<Parameters<Prefill>, Pass>; readonly step: CompiledFunction<Parameters<Step>, Pass> };
  /** Rows, and positions of each. */
  shape: CacheShape = { batch: 0, capacity: 0 };

  /** @param mixed whether each row has an adapter of its own, by its number in the model's prepared batch */
  constructor(model: GenerativeModel, device: Device, mixed: boolean) {
    this.model = model;
    this.base = causalBase(model);
    this.device = device;
    this.mixed = mixed;
    this.holdsPositions = holdsPositions(this.base);
    this.plans = this.compiled();
  }

  /** Positions that prompts of adapters take in front of each row. */
  get virtualTokens(): number {
    return this.mixed || !(this.model instanceof PeftModel) ? 0 : this.model.numVirtualTokens;
  }

  /** Gives the cache so many rows and positions. @param rows which of the rows so far each of the new ones is; those beyond begin empty */
  async reshape(shape: CacheShape, rows: readonly number[]): Promise<void> {
    const next = changedRows(this.base, this.cache, this.shape, shape, rows);
    await this.device.evaluate(next.flatMap((layer) => Object.values(layer)));
    freeCache(this.cache, next);
    this.cache = next;
    this.shape = shape;
  }

  /**
   * Runs a piece of a prompt into a row, and gives the logits [vocabulary] behind its last token.
   * @param length as how many tokens it runs: filled up on the right, which needs a cache of positions
   * @param isFirst whether nothing of the row counts yet
   */
  async prefill(row: number, { tokens, position, adapter }: RowInput, length: number, isFirst: boolean): Promise<Float32Array> {
    const ids = new Int32Array(length);
    ids.set(tokens);
    const numbers = (value: number): Tensor => this.device.tensor(Int32Array.of(value), { shape: [1] });
    const place = { row: numbers(row), position: numbers(position), last: numbers(tokens.length - 1) };
    const index = this.mixed ? numbers(adapter) : null;
    const inputIds = this.device.tensor(ids, { shape: [1, length] });
    return this.run([inputIds, ...Object.values(place), index], () => this.plans.prefill(inputIds, place, index, isFirst, this.cache));
  }

  /** Runs the same number of tokens in every row, and gives the logits behind each, [batch · tokens · vocabulary]. */
  async step(rows: readonly RowInput[]): Promise<Float32Array> {
    const shape = [rows.length, rows[0]!.tokens.length];
    const ints = (values: readonly number[]): Tensor => this.device.tensor(Int32Array.from(values), { shape: [values.length] });
    const inputIds = this.device.tensor(Int32Array.from(rows.flatMap(({ tokens }) => tokens)), { shape });
    const position = ints(rows.map((row) => row.position));
    const index = this.mixed ? ints(rows.map(({ adapter }) => adapter)) : null;
    return this.run([inputIds, position, index], () => this.plans.step(inputIds, position, index, this.cache));
  }

  /** Lets go of plans over adapters that are no longer those of the model. */
  forgetPlans(): void {
    for (const plan of Object.values(this.plans)) plan.dispose();
    this.plans = this.compiled();
  }

  /** Frees the cache and the plans. */
  dispose(): void {
    freeCache(this.cache);
    this.cache = [];
    this.shape = { batch: 0, capacity: 0 };
    for (const plan of Object.values(this.plans)) plan.dispose();
  }

  private async run(given: readonly AdapterIndex[], pass: () => Promise<Pass>): Promise<Float32Array> {
    try {
      const { logits, cache } = await pass();
      this.cache = cache;
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      return values;
    } finally {
      for (const t of given) t?.dispose();
    }
  }

  private compiled(): BatchDecoder["plans"] {
    const { device } = this;
    const prefill: Prefill = (inputIds, { row, position, last }, adapterIndex, isFirst, cache) => {
      const begins = isFirst && !this.holdsPositions;
      const own = begins ? this.base.emptyCache({ batch: 1, capacity: this.shape.capacity }) : rowOf(cache, row);
      const inputs = { inputIds, position, cache: own, logitsToKeep: last };
      const { logits, cache: next } = this.forward(inputs, adapterIndex, isFirst);
      return { logits, cache: withRow(cache, next!, row) };
    };
    const step: Step = (inputIds, position, adapterIndex, cache) => {
      const { logits, cache: next } = this.forward({ inputIds, position, cache }, adapterIndex, false);
      return { logits, cache: next! };
    };
    return { prefill: compile(prefill, { device, donate: [4] }), step: compile(step, { device, donate: [3] }) };
  }

  private forward(inputs: CausalInputs, adapterIndex: AdapterIndex, isFirstIteration: boolean): CausalOutput {
    if (!(this.model instanceof PeftModel)) return this.model.forward(inputs);
    return this.model.forward(inputs, adapterIndex ? { adapterIndex } : { isFirstIteration });
  }
}

/** One row of a cache. */
function rowOf(cache: readonly LayerCache[], row: Tensor): readonly LayerCache[] {
  return cache.map((layer) => mapped(layer, (t) => (t.shape[0] === 1 ? t : dynamicSlice(t, row, [1], [0]))));
}

/** A cache with another row in the place of one of its. */
function withRow(cache: readonly LayerCache[], own: readonly LayerCache[], row: Tensor): readonly LayerCache[] {
  return cache.map((layer, i) => mapped(layer, (t, name) => (t.shape[0] === 1 ? own[i]![name]! : update(t, own[i]![name]!, row, [0]))));
}

function mapped(layer: LayerCache, change: (t: Tensor, name: string) => Tensor): LayerCache {
  return Object.fromEntries(Object.entries(layer).map(([name, t]) => [name, change(t, name)]));
}
