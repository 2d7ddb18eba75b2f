import { assertInVocabulary } from "./assert-in-vocabulary.js";
import { positionsOf } from "./positions-of.js";
import { type BertModel, type CausalLM, normalized, pooled, type Pooling } from "@weft/models";
import { compile, type CompiledFunction, ConfigError, type Device, deviceOf, type Tensor, throwIfAborted } from "@weft/tensor-core";
import { PeftModel } from "@weft/registry";
import type { Tokenizer } from "@weft/tokenizers";

/** An encoder or a causal language model, with adapters or without. */
export type EmbeddingModel = BertModel | CausalLM | PeftModel<never, { readonly hiddenStates: readonly Tensor[] }>;

/** How texts become vectors. */
export interface EmbedderOptions {
  readonly tokenizer: Tokenizer;
  /** `mean` if not given, of a causal model `last`. */
  readonly pooling?: Pooling;
  /** Scaled to length 1; true if not given. */
  readonly normalize?: boolean;
  /** Longer texts are cut; what the model has positions for if not given. */
  readonly maxLength?: number;
  /** So many texts in one pass; 16 if not given. */
  readonly batchSize?: number;
  /** Where it runs; where the weights lie if not given. */
  readonly device?: Device;
}

/** Lengths are rounded up to a multiple of this, so that few plans serve all texts. */
const LENGTHS = 16;

/** Vectors of texts, for search and comparison: the states of a model's last layer, pooled. */
export class Embedder {
  private readonly model: EmbeddingModel;
  private readonly config: { readonly vocabSize: number };
  private readonly options: Required<EmbedderOptions>;
  private readonly pass: CompiledFunction<[Tensor, Tensor], Tensor>;

  constructor(model: EmbeddingModel, options: EmbedderOptions) {
    const base = model instanceof PeftModel ? model.baseModel : model;
    this.model = model;
    this.config = base.config as { readonly vocabSize: number };
    this.options = {
      pooling: "emptyCache" in base ? "last" : "mean",
      normalize: true,
      maxLength: positionsOf(base.config!) ?? 512,
      batchSize: 16,
      device: deviceOf([...base.weights.values()]),
      ...options,
    };
    const { pooling, normalize, device, maxLength, batchSize } = this.options;
    for (const [name, value] of Object.entries({ maxLength, batchSize }))
      if (!Number.isSafeInteger(value) || value < 1) throw new ConfigError(`${name} is ${value}, expected a whole number from 1`);
    this.pass = compile(
      (inputIds, attentionMask) => {
        const { hiddenStates } = (this.model as CausalLM).forward({ inputIds, attentionMask });
        const vectors = pooled(hiddenStates.at(-1)!, attentionMask, pooling);
        return normalize ? normalized(vectors) : vectors;
      },
      { device },
    );
  }

  /** The vectors of texts, in their order. @throws ConfigError for a tokenizer with tokens that the model does not have; CancelledError */
  async embed(texts: readonly string[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<Float32Array[]> {
    const { tokenizer, maxLength, batchSize } = this.options;
    const encoded = texts.map((text) => tokenizer.encode(text, { truncation: maxLength, padding: false }).ids);
    for (const ids of encoded) assertInVocabulary(ids, this.config);
    // Texts of like length run together, so that little is padding.
    const order = [...texts.keys()].sort((a, b) => encoded[a]!.length - encoded[b]!.length);
    const vectors: Float32Array[] = [];
    for (let at = 0; at < order.length; at += batchSize) {
      throwIfAborted(signal);
      const some = order.slice(at, at + batchSize);
      const found = await this.run(some.map((i) => encoded[i]!));
      for (const [row, i] of some.entries()) vectors[i] = found[row]!;
    }
    return vectors;
  }

  dispose(): void {
    this.pass.dispose();
  }

  private async run(rows: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const { device, maxLength } = this.options;
    const longest = Math.max(1, ...rows.map((row) => row.length));
    const length = Math.max(longest, Math.min(maxLength, Math.ceil(longest / LENGTHS) * LENGTHS));
    const [ids, mask] = [new Int32Array(rows.length * length), new Int32Array(rows.length * length)];
    for (const [i, row] of rows.entries()) {
      ids.set(row, i * length);
      mask.fill(1, i * length, i * length + row.length);
    }
    const given = [ids, mask].map((values) => device.tensor(values, { shape: [rows.length, length] })) as [Tensor, Tensor];
    const result = await this.pass(...given);
    const values = (await result.data()) as Float32Array;
    for (const t of [...given, result]) t.dispose();
    const width = values.length / rows.length;
    return rows.map((_, i) => values.slice(i * width, (i + 1) * width));
  }
}
