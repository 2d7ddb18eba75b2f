import type { DecodeStream, Tokenizer } from "@weft/tokenizers";
import { optionError } from "../option-error.js";
import { StopStrings } from "./stop-strings.js";

/** When a text ends. */
export interface StoppingOptions {
  /** Tokens that end a text; their own text is not part of it. */
  readonly eosTokenId?: number | readonly number[] | undefined;
  /** Strings that end a text, and are not part of it. */
  readonly stop?: string | readonly string[] | undefined;
  /** So many tokens are generated at most. */
  readonly maxNewTokens?: number | undefined;
}

/** Why a text ended: by an end token or stop string, or by its length. The names are OpenAI's. */
export type FinishReason = "stop" | "length";

/** What a token adds to a text. */
export interface TextPiece {
  /** Text that is certain; empty while it is held back. */
  readonly text: string;
  /** Set at the end. */
  readonly finishReason?: FinishReason;
  /** The end token or stop string. */
  readonly stoppedBy?: number | string;
}

/**
 * Turns tokens, one by one, into the text that they are, up to where it ends. Held back are bytes that are no character yet, and what may still become a stop string,
 * whichever way tokens divide it.
 */
export class TextStream {
  readonly #decoder: DecodeStream;
  readonly #stops: StopStrings;
  readonly #ends: ReadonlySet<number>;
  readonly #most: number;
  #count = 0;

  /** @throws ConfigError kind `generation-option` */
  constructor(tokenizer: Tokenizer, { eosTokenId = [], stop = [], maxNewTokens = Infinity }: StoppingOptions = {}) {
    if (maxNewTokens !== Infinity && !(Number.isSafeInteger(maxNewTokens) && maxNewTokens > 0))
      throw optionError("maxNewTokens", maxNewTokens, "a whole number from 1 on");
    this.#decoder = tokenizer.decodeStream();
    this.#stops = new StopStrings(typeof stop === "string" ? [stop] : stop);
    this.#ends = new Set(typeof eosTokenId === "number" ? [eosTokenId] : eosTokenId);
    this.#most = maxNewTokens;
  }

  /** Nothing comes after a piece with a `finishReason`. */
  push(token: number): TextPiece {
    this.#count++;
    if (this.#ends.has(token)) return { ...this.#rest(), finishReason: "stop", stoppedBy: token };
    const { text, stop } = this.#stops.push(this.#decoder.push(token));
    if (stop !== undefined) return { text, finishReason: "stop", stoppedBy: stop };
    if (this.#count < this.#most) return { text };
    const rest = this.#rest();
    return { finishReason: "length", ...rest, text: text + rest.text };
  }

  /** What is held back, if it ends here: bytes that are no character are U+FFFD now. */
  end(): string {
    return this.#rest().text;
  }

  /** Stop strings may lie in what was held back, too. */
  #rest(): TextPiece {
    const { text, stop } = this.#stops.push(this.#decoder.end());
    return stop === undefined ? { text: text + this.#stops.end() } : { text, finishReason: "stop", stoppedBy: stop };
  }
}
