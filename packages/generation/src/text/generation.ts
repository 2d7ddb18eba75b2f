import { CancelledError } from "@weft/tensor-core";
import type { Sampled } from "../sampling/sampler.js";
import type { FinishReason } from "../stopping/text-stream.js";

/** A token as it comes. */
export interface TextChunk extends Sampled {
  /** What the text grows by: nothing while a character, or what may become a stop text, is not complete. */
  readonly text: string;
}

/** A whole answer. */
export interface GenerationResult {
  readonly text: string;
  /** All tokens, an end token included. */
  readonly tokens: readonly number[];
  /** `stop`: by an end token, a stop string, or because a constraint allows no more. */
  readonly finishReason: FinishReason;
  /** The end token or stop string that ended it. */
  readonly stoppedBy?: number | string;
  readonly promptTokens: number;
}

/**
 * An answer that comes token by token: `for await (const { text } of generation)`, or whole: `await generation.result`. Leaving the loop early cancels it.
 */
export class Generation implements AsyncIterable<TextChunk> {
  /** @throws what the engine throws; CancelledError */
  readonly result: Promise<GenerationResult>;
  private readonly controller = new AbortController();
  private readonly chunks: TextChunk[] = [];
  private wake: (() => void) | undefined;
  private ended = false;

  /** @param run generates, and says what comes */
  constructor(run: (emit: (chunk: TextChunk) => void, signal: AbortSignal) => Promise<GenerationResult>, signal?: AbortSignal) {
    const stop = (): void => this.controller.abort(signal!.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const emit = (chunk: TextChunk): void => {
      this.chunks.push(chunk);
      this.wake?.();
    };
    this.result = run(emit, this.controller.signal).finally(() => {
      signal?.removeEventListener("abort", stop);
      this.ended = true;
      this.wake?.();
    });
    // Who reads the tokens alone learns of a failure there.
    this.result.catch(() => {});
  }

  /** Ends it; `result` rejects with a CancelledError. */
  cancel(): void {
    this.controller.abort(new CancelledError());
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TextChunk> {
    try {
      for (;;) {
        const chunk = this.chunks.shift();
        if (chunk) yield chunk;
        else if (this.ended) break;
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
      await this.result;
    } finally {
      if (!this.ended) this.cancel();
    }
  }
}
