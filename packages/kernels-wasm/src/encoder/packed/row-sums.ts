import type { Local } from "../wasm-lanes.js";
import { Bytes } from "./bytes.js";
import { type Lines, type Multiplied, UNIT } from "./lines.js";
import type { MatrixCode } from "./matrix-code.js";
import type { Neighbours } from "./neighbours.js";
import { integerPlanes } from "./planes.js";

/** How elements of a row are multiplied with x and summed: Σ value · x = scale · Σ element · x + offset · Σ x. */
export interface RowSums {
  readonly multiplied: Multiplied;
  /** Of all lanes; 1 if not given. */
  readonly scale?: Local;
  readonly offset: number;
  /** Sums of `count` elements from `first` on, for each line. @param onto what they are added to, if they may be */
  sums(at: Neighbours, lines: Lines, first: number, count: number, onto?: readonly Local[]): Local[];
}

/** Whole numbers that are computed as bytes. */
interface Codes {
  readonly code: number;
  /** What comes to them. */
  readonly plus: number;
}

/** The whole numbers that an f32 value is, but for a number that comes to all of them; undefined if it is others. */
function codesOf(code: MatrixCode, value: number, span: number): Codes | undefined {
  const facts = code.facts(span);
  const { instructions } = code.loop.program;
  let [v, plus] = [value, 0];
  for (let i = instructions[v]!; ; i = instructions[v]!) {
    const number = i.op === "add" || i.op === "sub" ? facts.integer(i.b) : undefined;
    if (number !== undefined && facts.narrow[(i as { readonly a: number }).a]) plus += i.op === "add" ? number : -number;
    else if (i.op !== "cast" || v !== value) break;
    v = (i as { readonly a: number }).a;
  }
  return v === value || !facts.narrow[v] ? undefined : { code: v, plus };
}

/** The largest code of which products with bytes of x, four of them for a unit, add up to an i16. */
const MOST_OF_BYTES = 64;

/** A way to sum what `value` is. @param integers whether x may be rounded */
export function rowSumsOf(code: MatrixCode, value: number, lines: number, span: number, relaxed: boolean, integers: boolean): RowSums {
  const { w } = code;
  const { lanes } = w;
  const bytes = new Bytes(w);
  const codes = integers ? codesOf(code, value, span) : undefined;
  const i = code.loop.program.instructions[value]!;
  const each = <T>(make: (line: number) => T): T[] => Array.from({ length: lines }, (_, line) => make(line));

  const toFloats = (sums: readonly Local[]): Local[] => sums.map((s) => lanes.toFloat(s));
  /** @param weights eight of them, as i16 */
  const ofHalves = (offset: number, weights: (at: Neighbours, eight: number) => Local, scale?: Local): RowSums => ({
    multiplied: "integers",
    ...(scale !== undefined && { scale }),
    offset,
    sums: (at, x, first, count) =>
      toFloats(
        summed(first, count, 8, (eight, sums) => {
          const some = weights(at, eight);
          return each((line) => bytes.addDot(sums?.[line], some, x.integers(line, eight)));
        }),
      ),
  });

  if (codes) {
    const [least, most] = code.facts(span).ranges[codes.code]!;
    if (!relaxed || least < 0 || most > MOST_OF_BYTES) return ofHalves(codes.plus, (at, eight) => at.halves(codes.code, eight));
    const ones = w.constant(Int32Array.of(0x10001, 0x10001, 0x10001, 0x10001));
    return {
      multiplied: "bytes",
      offset: codes.plus,
      sums: (at, x, first, count) =>
        toFloats(
          summed(first, count, 16, (sixteen, sums) => {
            const weights = at.sixteen(codes.code, sixteen);
            return each((line) => bytes.dot(x.integers(line, sixteen), weights, sums?.[line]));
          }).map((sum) => bytes.addDot(undefined, sum, ones)),
        ),
    };
  }
  if (integers && i.op === "lookup" && code.planes.has(i.input) && i.dtype === "f32") {
    const planes = integerPlanes(code, code.pointersOfTables[i.input]!);
    return ofHalves(0, (at, eight) => at.integers(planes, i.a, relaxed, eight), planes.scale);
  }
  return {
    multiplied: "floats",
    offset: 0,
    sums(at, x, first, count, onto) {
      // Two sums of one line: one would wait for itself.
      const sums: (Local | undefined)[][] = each((line) => (lines === 1 ? [onto?.[line], undefined] : [onto?.[line]]));
      for (let quad = first / 4; quad < (first + count) / 4; quad++) {
        const weight = at.lane(value, quad);
        sums.forEach((some, line) => {
          const k = quad % some.length;
          some[k] = multiplyAdd(weight, x.floats(line, quad), some[k]);
        });
      }
      return sums.map((some) => some.filter((s) => s !== undefined).reduce((a, b) => lanes.add(a, b)));
    },
  };

  /** What is summed in steps of `step` elements. */
  function summed(first: number, count: number, step: number, next: (at: number, sums: readonly Local[] | undefined) => Local[]): Local[] {
    let sums: Local[] | undefined;
    for (let at = first / step; at < (first + count) / step; at++) sums = next(at, sums);
    return sums!;
  }

  function multiplyAdd(a: Local, b: Local, sum: Local | undefined): Local {
    if (sum === undefined) return lanes.mul(a, b);
    return relaxed ? w.get(a).get(b).get(sum).simd(0x105).keep() : lanes.add(lanes.mul(a, b), sum);
  }
}

/** Elements that one sum is made of. */
export const unitOf = ({ multiplied }: RowSums, block: number): number => (multiplied === "floats" ? block : Math.min(UNIT, block));
