import { unitsAt } from "./characters.js";

/** Characters of a new text and what each does to the old one: 0 replaces the next character, 1 is put in, −n replaces one and removes the n after it. */
export interface Edits {
  readonly chars: string[];
  readonly changes: number[];
}

/**
 * A piece of a text as normalizers have made it, where each UTF-16 unit knows what part of the original it stands for. Immutable.
 * While nothing has moved it keeps only where it begins.
 * @see tokenizers `normalizer.rs` NormalizedString, whose rules for characters that are put in or removed these are
 */
export class NormalizedString {
  readonly text: string;
  /** Where the piece begins in the original, in UTF-16 units. */
  readonly start: number;
  /** Unit i stands for the original's from `starts[i]` to `ends[i]`; if not given, for its own character, counted from `base`. */
  readonly #starts: readonly number[] | undefined;
  readonly #ends: readonly number[] | undefined;
  readonly #base: number;

  constructor(text: string, start = 0, base: number = start, starts?: readonly number[], ends?: readonly number[]) {
    this.text = text;
    this.start = start;
    this.#base = base;
    this.#starts = starts;
    this.#ends = ends;
  }

  /** Where what unit `at` stands for begins in the original. */
  startAt(at: number): number {
    if (this.#starts) return this.#starts[at]!;
    return this.#base + at - (this.#isSecond(at) ? 1 : 0);
  }

  /** Where what unit `at` stands for ends in the original. */
  endAt(at: number): number {
    if (this.#ends) return this.#ends[at]!;
    return this.#base + at + (this.text.codePointAt(at)! > 0xffff ? 2 : 1);
  }

  #isSecond(at: number): boolean {
    return at > 0 && (this.text.charCodeAt(at) & 0xfc00) === 0xdc00 && this.text.codePointAt(at - 1)! > 0xffff;
  }

  /** The units from `from` to `to`. */
  slice(from: number, to: number): NormalizedString {
    if (from === 0 && to === this.text.length) return this;
    const text = this.text.slice(from, to);
    const start = from < to ? this.startAt(from) : this.start;
    if (!this.#starts) return new NormalizedString(text, start, this.#base + from);
    return new NormalizedString(text, start, start, this.#starts.slice(from, to), this.#ends!.slice(from, to));
  }

  /** The units from `from` to `to`; what was before and after still belongs to the piece. */
  trimmed(from: number, to: number): NormalizedString {
    const text = this.text.slice(from, to);
    if (!this.#starts) return new NormalizedString(text, this.start, this.#base + from);
    return new NormalizedString(text, this.start, this.start, this.#starts.slice(from, to), this.#ends!.slice(from, to));
  }

  /** The piece with another text of the same length, whose units stand for what those of the old one do. */
  renamed(text: string): NormalizedString {
    if (text === this.text) return this;
    if (this.#starts) return new NormalizedString(text, this.start, this.start, this.#starts, this.#ends);
    // Where single units become pairs or the reverse, the characters no longer say what they stand for.
    if (!/[\ud800-\udfff]/.test(this.text) && !/[\ud800-\udfff]/.test(text)) return new NormalizedString(text, this.start, this.#base);
    const starts: number[] = [];
    const ends: number[] = [];
    for (let i = 0; i < text.length; i++) {
      starts.push(this.startAt(i));
      ends.push(this.endAt(i));
    }
    return new NormalizedString(text, this.start, this.start, starts, ends);
  }

  /**
   * The piece after edits of the units from `from` to `to`, all if not given.
   * @param removed characters removed before the first that stays
   */
  transform({ chars, changes }: Edits, removed = 0, from?: number, to: number = this.text.length): NormalizedString {
    const begin = from ?? this.#firstWithWidth();
    const old = this.text;
    const starts: number[] = [];
    const ends: number[] = [];
    for (let i = 0; i < begin; i++) {
      starts.push(this.startAt(i));
      ends.push(this.endAt(i));
    }
    let at = begin;
    for (let i = 0; i < removed && at < to; i++) at += unitsAt(old, at);
    for (let i = 0; i < chars.length; i++) {
      const change = changes[i]!;
      // What is put in stands for what is before it; at the very beginning, for nothing.
      const model = change > 0 ? at - 1 : Math.min(at, old.length - 1);
      const [start, end] = model < 0 ? [this.start, this.start] : [this.startAt(model), this.endAt(model)];
      if (change <= 0) for (let n = 0; n <= -change && at < to; n++) at += unitsAt(old, at);
      for (let unit = chars[i]!.length; unit > 0; unit--) {
        starts.push(start);
        ends.push(end);
      }
    }
    for (let i = to; i < old.length; i++) {
      starts.push(this.startAt(i));
      ends.push(this.endAt(i));
    }
    return new NormalizedString(old.slice(0, begin) + chars.join("") + old.slice(to), this.start, this.start, starts, ends);
  }

  /** Units at the beginning that stand for nothing are not touched by what edits the whole. */
  #firstWithWidth(): number {
    if (!this.#starts) return 0;
    const found = this.#starts.findIndex((start, i) => start !== this.#ends![i]);
    return found < 0 ? 0 : found;
  }

  /** Without the characters that a global pattern for single ones finds. */
  without(pattern: RegExp): NormalizedString {
    pattern.lastIndex = 0;
    if (!pattern.test(this.text)) return this;
    const edits: Edits = { chars: [], changes: [] };
    let removed = 0;
    let first = 0;
    for (const char of this.text) {
      pattern.lastIndex = 0;
      if (pattern.test(char)) removed++;
      else {
        if (edits.chars.length > 0) edits.changes[edits.changes.length - 1] = -removed;
        else first = removed;
        edits.chars.push(char);
        edits.changes.push(0);
        removed = 0;
      }
    }
    if (edits.chars.length > 0) edits.changes[edits.changes.length - 1] = -removed;
    return this.transform(edits, first);
  }

  /** Each character replaced by others; the first of them stands for it, and so do those put in after it. */
  mapped(change: (char: string) => string): NormalizedString {
    const edits: Edits = { chars: [], changes: [] };
    for (const char of this.text) {
      const next = change(char);
      let first = 0;
      for (const one of next) {
        edits.chars.push(one);
        edits.changes.push(first);
        first = 1;
      }
    }
    return this.transform(edits);
  }

  /** With a text in front of the first character, which stands for that character; as it is if empty. */
  prepended(text: string): NormalizedString {
    if (this.text === "" || text === "") return this;
    const first = String.fromCodePoint(this.text.codePointAt(0)!);
    const chars = [...text, first];
    return this.transform({ chars, changes: chars.map((_, i) => (i === 0 ? 0 : 1)) }, 0, 0, first.length);
  }

  /** With `content` in the place of each match. @param matches begins and ends, in turn */
  replaced(matches: readonly number[], content: string): NormalizedString {
    if (matches.length === 0) return this;
    const old = this.text;
    const text: string[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    let copied = 0;
    let simple = content.length === 1;
    const copy = (to: number): void => {
      text.push(old.slice(copied, to));
      for (; copied < to; copied++) {
        starts.push(this.startAt(copied));
        ends.push(this.endAt(copied));
      }
    };
    for (let i = 0; i < matches.length; i += 2) simple &&= matches[i + 1]! - matches[i]! === 1;
    if (simple) {
      for (let i = 0; i < matches.length; i += 2) {
        text.push(old.slice(copied, matches[i]), content);
        copied = matches[i + 1]!;
      }
      return this.renamed(text.join("") + old.slice(copied));
    }
    for (let i = 0; i < matches.length; i += 2) {
      const [from, to] = [matches[i]!, matches[i + 1]!];
      copy(from);
      text.push(content);
      const [start, end] = to < 1 ? [this.start, this.start] : [this.startAt(to - 1), this.endAt(to - 1)];
      for (let unit = content.length; unit > 0; unit--) {
        starts.push(start);
        ends.push(end);
      }
      copied = to;
    }
    copy(old.length);
    return new NormalizedString(text.join(""), this.start, this.start, starts, ends);
  }
}
