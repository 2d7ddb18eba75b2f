/** U+FFFD, which decoders put where bytes are not, or not yet, a character. */
const UNFINISHED = "\ufffd";

/**
 * Text of ids that come one by one. What may still change with the next ids, as a character whose bytes are not complete, is held back.
 * @see tokenizers `tokenizer/mod.rs` step_decode_stream
 */
export class DecodeStream {
  readonly #decode: (ids: readonly number[]) => string;
  /** The last ids: the text of an id may depend on that before it. */
  #ids: number[] = [];
  /** The text of the first of them, which has been given out, and how many those are. */
  #given = "";
  #givenIds = 0;

  constructor(decode: (ids: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** @returns the text that is new with these ids; empty while it is held back */
  push(...ids: readonly number[]): string {
    this.#ids.push(...ids);
    const text = this.#decode(this.#ids);
    if (text.length <= this.#given.length || text.endsWith(UNFINISHED)) return "";
    return this.#give(text);
  }

  /** @returns what was held back, with U+FFFD where bytes are missing; ids that come after it begin anew */
  end(): string {
    const text = this.#decode(this.#ids).slice(this.#given.length);
    this.#ids = [];
    this.#given = "";
    this.#givenIds = 0;
    return text;
  }

  #give(text: string): string {
    const news = text.slice(this.#given.length);
    // Of what was given out only the last step is kept: it is the context of the next.
    this.#ids = this.#ids.slice(this.#givenIds);
    this.#givenIds = this.#ids.length;
    this.#given = this.#decode(this.#ids);
    return news;
  }
}
