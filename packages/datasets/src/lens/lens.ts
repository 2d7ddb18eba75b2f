import type { Tokenizer } from "@weft/tokenizers";
import type { Place } from "../data-error.js";
import { type Encoded, IGNORED } from "../encode/encoded.js";

/** A token as it is shown. */
export interface LensToken {
  readonly id: number;
  /** The part of the text that it stands for; the token itself where that is none. */
  readonly text: string;
  /** From, to in the text. */
  readonly offset: readonly [number, number];
  /** The id that is trained on; −100 where none is. */
  readonly label: number;
  /** Truncation cut it off: the model does not see it. */
  readonly cut: boolean;
  /** Whose turn it is in; undefined between turns. */
  readonly role: string | undefined;
  /** It is the first of its turn. */
  readonly beginsTurn: boolean;
}

/** What the model sees of an example, and what it learns from it. */
export interface Lens {
  readonly tokens: readonly LensToken[];
  /** Tokens that are trained on, and all that are seen. */
  readonly trained: number;
  readonly seen: number;
  readonly endTrained: boolean | undefined;
  readonly warnings: readonly string[];
  readonly place: Place;
}

/** What stands in an example that was encoded, token by token. */
export function lensOf(encoded: Encoded, tokenizer: Pick<Tokenizer, "idToToken">): Lens {
  const { ids, labels, offsets, text, turns, cut, warnings, endTrained, place } = encoded;
  let turn = -1;
  let end = 0;
  const shown = (id: number, [from, to]: readonly [number, number], label: number, wasCut: boolean): LensToken => {
    const at = turns.findIndex((one) => from >= one.from && from < one.to);
    const beginsTurn = at >= 0 && at !== turn;
    if (at >= 0) turn = at;
    // Offsets of byte-level tokens leave out the space that they begin with.
    const begin = text.slice(end, from).trim() === "" ? Math.min(end, from) : from;
    end = Math.max(end, to);
    return {
      id,
      text: text.slice(begin, to) || (tokenizer.idToToken(id) ?? `<${id}>`),
      offset: [from, to],
      label,
      cut: wasCut,
      role: turns[at]?.role,
      beginsTurn,
    };
  };
  const tokens = [
    ...cut.front.map(({ id, offset }) => shown(id, offset, IGNORED, true)),
    ...Array.from(ids, (id, i) => shown(id, [offsets[2 * i]!, offsets[2 * i + 1]!], labels[i]!, false)),
    ...cut.back.map(({ id, offset }) => shown(id, offset, IGNORED, true)),
  ];
  const trained = labels.reduce((count, label) => count + (label === IGNORED ? 0 : 1), 0);
  return { tokens, trained, seen: ids.length, endTrained, warnings: warnings.map(({ message }) => message), place };
}
