import { Embedder, type EmbeddingModel, type TextGenerator } from "@weft/generation";
import { PeftModel } from "@weft/registry";
import { ApiError } from "../http/api-error.js";
import { Exclusive } from "./exclusive.js";

/** So many requests for vectors may wait. */
const MOST_WAITING = 64;

/** Vectors of texts, of the model as it is and with each adapter: its last hidden state at the last token, scaled to length 1. */
export class Embeddings {
  private readonly generator: TextGenerator;
  private readonly turns = new Exclusive();
  private readonly embedders = new Map<string | undefined, Embedder>();
  private waiting = 0;

  constructor(generator: TextGenerator) {
    this.generator = generator;
  }

  /** @param adapter undefined for none @throws ApiError 400 for a text that is too long, 429; what `Embedder` throws */
  async embed(
    texts: readonly string[],
    adapter: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly tokens: number }> {
    if (this.waiting >= MOST_WAITING)
      throw new ApiError(429, `${this.waiting} requests for embeddings wait already`, {
        code: "queue_full",
        headers: { "retry-after": "1" },
      });
    const { tokenizer, engine } = this.generator;
    const lengths = texts.map((text) => tokenizer.encode(text, { truncation: false, padding: false }).ids.length);
    const long = lengths.findIndex((length) => length > engine.contextLength);
    if (long >= 0)
      throw new ApiError(400, `input[${long}] has ${lengths[long]} tokens, the model has ${engine.contextLength} positions`, {
        param: "input",
        code: "context_length_exceeded",
      });
    this.waiting++;
    try {
      const vectors = await this.turns.run(() => this.embedder(adapter).embed(texts, { signal }));
      return { vectors, tokens: lengths.reduce((sum, length) => sum + length, 0) };
    } finally {
      this.waiting--;
    }
  }

  /** Forgets what was made for an adapter. */
  forget(adapter: string): Promise<void> {
    return this.turns.run(async () => {
      this.embedders.get(adapter)?.dispose();
      this.embedders.delete(adapter);
    });
  }

  dispose(): Promise<void> {
    return this.turns.run(async () => {
      for (const embedder of this.embedders.values()) embedder.dispose();
      this.embedders.clear();
    });
  }

  private embedder(adapter: string | undefined): Embedder {
    const { tokenizer, engine } = this.generator;
    const found =
      this.embedders.get(adapter) ?? new Embedder(modelWith(engine.model, adapter), { tokenizer, maxLength: engine.contextLength });
    this.embedders.set(adapter, found);
    return found;
  }
}

/** The model with that adapter alone, whatever acts in the model that is served. */
function modelWith(model: TextGenerator["engine"]["model"], adapter: string | undefined): EmbeddingModel {
  if (!(model instanceof PeftModel)) return model;
  if (adapter === undefined) return model.baseModel as EmbeddingModel;
  const alone = new PeftModel(model.baseModel, model.methods);
  alone.setState(model.state(adapter), adapter);
  return alone as unknown as EmbeddingModel;
}
