import type { CausalInputs, CausalLM, CausalOutput, LayerCache } from "@weft/models";
import { BASE, PeftModel } from "@weft/registry";
import { compile, type CompiledFunction, ConfigError, type Device, dynamicSlice, type Tensor, update } from "@weft/tensor-core";
import { changedRows, type CacheShape, freeCache, holdsPositions, positionsKept } from "./cache-rows.js";

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
  /** From which token of the row on its adapter acts. */
  readonly actsFrom: number;
}

/** What adapters are told of the rows of a pass, i32 [batch]: which one each has (null: the active ones act), and from which token of the pass on it acts. */
type RowAdapters = { readonly index: Tensor | null; readonly actsFrom: Tensor };

type Prefill = (inputIds: Tensor, at: PrefillPlace, adapters: RowAdapters, isFirst: boolean, cache: readonly LayerCache[]) => Pass;
type Step = (inputIds: Tensor, position: Tensor, adapters: RowAdapters, cache: readonly LayerCache[]) => Pass;
/** Where pieces of prompts go: into one row, i32 [1], or one into each, null; from which position, and which token is the last one of each, i32 [pieces]. */
type PrefillPlace = { readonly row: Tensor | null; readonly position: Tensor; readonly last: Tensor };
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
  /** So many positions of a row every layer holds: Infinity unless there are windows. */
  readonly positionsKept: number;
  private readonly model: GenerativeModel;
  private readonly mixed: boolean;
  private readonly device: Device;
  private cache: readonly LayerCache[] = [];
  private plans: { readonly prefill: CompiledFunction<Parameters<Prefill>, Pass>; readonly step: CompiledFunction<Parameters<Step>, Pass> };
  /** Plans that are of no more use, until one in their place has run: what a backend has made of the weights for them is taken over by it. */
  private readonly outdated: { dispose(): void }[] = [];
  /** Rows, and positions of each. */
  shape: CacheShape = { batch: 0, capacity: 0 };

  /** @param mixed whether each row has an adapter of its own, by its number in the model's prepared batch */
  constructor(model: GenerativeModel, device: Device, mixed: boolean) {
    this.model = model;
    this.base = causalBase(model);
    this.device = device;
    this.mixed = mixed;
    this.holdsPositions = holdsPositions(this.base);
    this.positionsKept = this.holdsPositions ? positionsKept(this.base) : 0;
    this.plans = this.compiled();
  }

  /** Positions that prompts of adapters take in front of each row. */
  get virtualTokens(): number {
    return this.mixed || !(this.model instanceof PeftModel) ? 0 : this.model.numVirtualTokens;
  }

  /**
   * From which token of a prompt on its adapter acts, or the active one: Infinity where it waits for tokens that are not there.
   * @throws ConfigError where several act at once, and one of them waits
   */
  actsFrom(tokens: readonly number[], adapter: string | undefined): number {
    if (!(this.model instanceof PeftModel) || adapter === BASE) return 0;
    const names = this.mixed ? [adapter!] : this.model.activeAdapters;
    const starts = names.map((name) => (this.model as AdaptedCausalLM).actsFrom(tokens, name) ?? Infinity);
    if (starts.length > 1 && starts.some((start) => start !== 0))
      throw new ConfigError(`of the active adapters ${names.join(", ")} one waits for its invocation tokens`, {
        hint: "choose one by setAdapter",
      });
    return starts[0] ?? 0;
  }

  /** Gives the cache so many rows and positions. @param rows which of the rows so far each of the new ones is; those beyond begin empty */
  async reshape(shape: CacheShape, rows: readonly number[]): Promise<void> {
    const inOrder = rows.length === this.shape.batch && rows.every((row, i) => row === i);
    const order = inOrder ? undefined : this.ints(rows);
    const next = changedRows(this.base, this.cache, shape, order);
    await this.device.evaluate(next.flatMap((layer) => Object.values(layer)));
    order?.dispose();
    freeCache(this.cache, next);
    this.cache = next;
    // It never becomes shorter again: plans for less room are of no more use.
    if (shape.capacity !== this.shape.capacity) this.forgetPlans();
    this.shape = shape;
  }

  /**
   * Runs a piece of a prompt into a row, or one into each, and gives the logits behind the last token of each, [pieces · vocabulary].
   * @param row undefined: the pieces are those of all rows
   * @param length as how many tokens they run: filled up on the right, which needs a cache of positions
   * @param isFirst whether nothing of the rows counts yet
   */
  async prefill(row: number | undefined, pieces: readonly RowInput[], length: number, isFirst: boolean): Promise<Float32Array> {
    const ids = new Int32Array(pieces.length * length);
    for (const [i, { tokens }] of pieces.entries()) ids.set(tokens, i * length);
    const place = {
      row: row === undefined ? null : this.ints([row]),
      position: this.ints(pieces.map(({ position }) => position)),
      last: this.ints(pieces.map(({ tokens }) => tokens.length - 1)),
    };
    const adapters = this.rowAdapters(pieces);
    const inputIds = this.ints(ids, [pieces.length, length]);
    const given = [inputIds, ...Object.values(place), ...Object.values(adapters)];
    return this.run(given, () => this.plans.prefill(inputIds, place, adapters, isFirst, this.cache));
  }

  /** Runs the same number of tokens in every row, and gives the logits behind each, [batch · tokens · vocabulary]. */
  async step(rows: readonly RowInput[]): Promise<Float32Array> {
    const ids = rows.flatMap(({ tokens }) => tokens);
    const inputIds = this.ints(ids, [rows.length, ids.length / rows.length]);
    const position = this.ints(rows.map((row) => row.position));
    const adapters = this.rowAdapters(rows);
    const given = [inputIds, position, ...Object.values(adapters)];
    return this.run(given, () => this.plans.step(inputIds, position, adapters, this.cache));
  }

  /** Lets go of plans that no pass will use again, as those over adapters that are no longer the model's. */
  forgetPlans(): void {
    this.outdated.push(...Object.values(this.plans));
    this.plans = this.compiled();
  }

  /** Frees the cache and the plans. */
  dispose(): void {
    freeCache(this.cache);
    this.cache = [];
    this.shape = { batch: 0, capacity: 0 };
    this.forgetPlans();
    this.disposeOutdated();
  }

  private disposeOutdated(): void {
    for (const plan of this.outdated.splice(0)) plan.dispose();
  }

  private ints(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor {
    return this.device.tensor(Int32Array.from(values), { shape });
  }

  private rowAdapters(rows: readonly RowInput[]): RowAdapters {
    const within = ({ actsFrom, position, tokens }: RowInput): number => Math.min(Math.max(actsFrom - position, 0), tokens.length);
    return { index: this.mixed ? this.ints(rows.map(({ adapter }) => adapter)) : null, actsFrom: this.ints(rows.map(within)) };
  }

  private async run(given: readonly (Tensor | null)[], pass: () => Promise<Pass>): Promise<Float32Array> {
    try {
      const { logits, cache } = await pass();
      this.cache = cache;
      this.disposeOutdated();
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      return values;
    } finally {
      for (const t of given) t?.dispose();
    }
  }

  private compiled(): BatchDecoder["plans"] {
    const { device } = this;
    const prefill: Prefill = (inputIds, { row, position, last }, adapters, isFirst, cache) => {
      const begins = isFirst && !this.holdsPositions;
      const held = row ? rowOf(cache, row) : cache;
      const own = begins ? this.base.emptyCache({ batch: 1, capacity: this.shape.capacity }) : held;
      const inputs = { inputIds, position, cache: own, logitsToKeep: last };
      const { logits, cache: next } = this.forward(inputs, adapters, isFirst);
      return { logits, cache: row ? withRow(cache, next!, row) : next! };
    };
    const step: Step = (inputIds, position, adapters, cache) => {
      const { logits, cache: next } = this.forward({ inputIds, position, cache }, adapters, false);
      return { logits, cache: next! };
    };
    return { prefill: compile(prefill, { device, donate: [4] }), step: compile(step, { device, donate: [3] }) };
  }

  private forward(inputs: CausalInputs, { index, actsFrom }: RowAdapters, isFirstIteration: boolean): CausalOutput {
    if (!(this.model instanceof PeftModel)) return this.model.forward(inputs);
    return this.model.forward(inputs, { actsFrom, ...(index ? { adapterIndex: index } : { isFirstIteration }) });
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
