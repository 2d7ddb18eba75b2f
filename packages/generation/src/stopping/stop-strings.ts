import { optionError } from "../option-error.js";

/** Most stop strings: each character of the text is compared with all of them. */
export const MAX_STOP_STRINGS = 64;
/** The longest of them, in UTF-16 units. */
export const MAX_STOP_LENGTH = 1000;

/** What came of some text. */
export interface Released {
  /** What cannot belong to a stop string any more. */
  readonly text: string;
  /** The stop string that ended the text, which is not part of it. */
  readonly stop?: string;
}

/**
 * Finds stop strings in a text that comes in pieces. What may still become one is held back. The first that is complete ends the text; of those that end with the same
 * character, the longest.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  /** Per string and length n: how long a beginning of it its first n units end with, but for themselves (Knuth, Morris and Pratt). */
  readonly #fallbacks: readonly Uint16Array[];
  /** How much of each string the text so far ends with. */
  readonly #matched: Uint16Array;
  #held = "";

  /** @throws ConfigError kind `generation-option` */
  constructor(stops: readonly string[]) {
    if (stops.length > MAX_STOP_STRINGS) throw optionError("the number of stop strings", stops.length, `${MAX_STOP_STRINGS} at most`);
    for (const stop of stops)
      if (typeof stop !== "string" || stop === "" || stop.length > MAX_STOP_LENGTH)
        throw optionError("a stop string", stop, `text of 1 to ${MAX_STOP_LENGTH} UTF-16 units`);
    // The longest first.
    this.#stops = stops.toSorted((a, b) => b.length - a.length);
    this.#fallbacks = this.#stops.map(fallbacksOf);
    this.#matched = new Uint16Array(stops.length);
  }

  push(piece: string): Released {
    const text = this.#held + piece;
    for (let at = this.#held.length; at < text.length; at++)
      for (const [i, stop] of this.#stops.entries()) {
        let n = this.#matched[i]!;
        while (n > 0 && stop[n] !== text[at]) n = this.#fallbacks[i]![n]!;
        if (stop[n] === text[at]) n++;
        this.#matched[i] = n;
        if (n < stop.length) continue;
        this.#held = "";
        return { text: text.slice(0, at + 1 - n), stop };
      }
    const free = text.length - Math.max(0, ...this.#matched);
    this.#held = text.slice(free);
    return { text: text.slice(0, free) };
  }

  /** @returns what was held back */
  end(): string {
    const held = this.#held;
    this.#held = "";
    this.#matched.fill(0);
    return held;
  }
}

function fallbacksOf(stop: string): Uint16Array {
  const fallbacks = new Uint16Array(stop.length + 1);
  for (let at = 1, n = 0; at < stop.length; at++) {
    while (n > 0 && stop[n] !== stop[at]) n = fallbacks[n]!;
    if (stop[n] === stop[at]) n++;
    fallbacks[at + 1] = n;
  }
  return fallbacks;
}
