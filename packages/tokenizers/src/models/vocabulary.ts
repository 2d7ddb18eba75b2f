import { JsonNumber } from "@weft/io-safetensors";
import type { Field } from "../json/fields.js";
import type { PlainJson } from "../json/plain.js";
import { MAX_TOKEN_ID, MAX_TOKENS } from "../limits.js";

/** Tokens and their ids, both ways. */
export class Vocabulary {
  readonly ids: ReadonlyMap<string, number>;
  readonly #tokens = new Map<number, string>();

  /** @param entries a token that stands there twice has the last of its ids */
  constructor(entries: Iterable<readonly [string, number]>) {
    this.ids = entries instanceof Map ? entries : new Map(entries);
    for (const [token, id] of entries) this.#tokens.set(id, token);
  }

  /** Tokens whose ids are their places. */
  static of(tokens: readonly string[]): Vocabulary {
    return new Vocabulary(tokens.map((token, id) => [token, id] as const));
  }

  /** The `vocab` of a file: an object of ids. */
  static read(field: Field): Vocabulary {
    const { map } = field;
    if (map.size > MAX_TOKENS) throw field.error(`${map.size} tokens, at most ${MAX_TOKENS} are read`, "limit");
    const ids = new Map<string, number>();
    for (const [token, id] of map) {
      if (!(id instanceof JsonNumber) || !/^\d+$/.test(id.text) || id.value > MAX_TOKEN_ID)
        throw field.at(token).wrong(`an id from 0 to ${MAX_TOKEN_ID}`);
      ids.set(token, id.value);
    }
    return new Vocabulary(ids);
  }

  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens.get(id);
  }

  /** In the order of ids, as files have it. */
  toJson(): PlainJson {
    return Object.fromEntries([...this.ids].toSorted((a, b) => a[1] - b[1]));
  }
}
