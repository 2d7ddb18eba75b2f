import type { Part } from "./grammar.js";

/** A set of code points: ranges in ascending order that do not touch. */
export type CodePoints = readonly (readonly [from: number, to: number])[];

const LAST = 0x10ffff;

/** Sets as one, in order. */
export function union(...sets: readonly CodePoints[]): CodePoints {
  const out: [number, number][] = [];
  for (const [from, to] of sets.flat().toSorted((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

/** Everything that a set is not. */
export function complement(set: CodePoints): CodePoints {
  const out: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) out.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST) out.push([next, LAST]);
  return out;
}

export const without = (set: CodePoints, other: CodePoints): CodePoints => complement(union(complement(set), other));
export const intersection = (set: CodePoints, other: CodePoints): CodePoints => without(set, complement(other));

/** Code points by the number of their bytes in UTF-8; surrogates have none. */
const LENGTHS: readonly (readonly [from: number, to: number])[] = [
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, LAST],
];
const encoder = new TextEncoder();

/** Edges over the bytes of UTF-8: node, first byte, last byte, node behind, and so on. Node 0 is before a character of a set, node 1 behind it. */
function edgesOf(set: CodePoints): { readonly edges: readonly number[]; readonly nodes: number } {
  const edges: number[] = [];
  let nodes = 2;
  /** Bytes between two sequences of one length, from the i-th on. */
  const between = (at: number, low: Uint8Array, high: Uint8Array, i: number): void => {
    const [a, b] = [low[i]!, high[i]!];
    if (i === low.length - 1) {
      edges.push(at, a, b, 1);
      return;
    }
    const into = (first: number, last: number, lower: Uint8Array, upper: Uint8Array): void => {
      const next = nodes++;
      edges.push(at, first, last, next);
      between(next, lower, upper, i + 1);
    };
    if (a === b) return into(a, b, low, high);
    const [least, most] = [low.slice().fill(0x80, i + 1), high.slice().fill(0xbf, i + 1)];
    const [ragged, open] = [low.some((byte, n) => byte !== least[n]), high.some((byte, n) => byte !== most[n])];
    if (ragged) into(a, a, low, low.slice().fill(0xbf, i + 1));
    const [first, last] = [ragged ? a + 1 : a, open ? b - 1 : b];
    if (first <= last) into(first, last, least, most);
    if (open) into(b, b, high.slice().fill(0x80, i + 1), high);
  };
  for (const [first, last] of set)
    for (const [least, most] of LENGTHS) {
      const [low, high] = [Math.max(first, least), Math.min(last, most)];
      if (low <= high) between(0, encoder.encode(String.fromCodePoint(low)), encoder.encode(String.fromCodePoint(high)), 0);
    }
  return { edges, nodes };
}

/** One character of a set, in UTF-8. */
export function oneOf(set: CodePoints): Part {
  const { edges, nodes } = edgesOf(set);
  return (grammar, from) => {
    const own = [from];
    for (let i = 1; i < nodes; i++) own.push(grammar.node());
    for (let i = 0; i < edges.length; i += 4) grammar.edges[own[edges[i]!]!]!.push(edges[i + 1]!, edges[i + 2]!, own[edges[i + 3]!]!);
    return own[1]!;
  };
}

export const ANY: CodePoints = [[0, LAST]];
export const one = (code: number): CodePoints => [[code, code]];
