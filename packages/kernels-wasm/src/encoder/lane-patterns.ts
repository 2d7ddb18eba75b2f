import type { Instruction } from "@weft/tensor-core";

/** Values of neighbouring elements as one base, a multiple of `multiple`, plus an offset each. */
export interface LanePattern {
  /** A power of two. */
  readonly multiple: number;
  readonly offsets: readonly number[];
}

/** What is loaded or counted: one value for all neighbours, or one more from each to the next. */
type Known = "same" | "counted";

/** The largest power of two that divides a number. */
const evenness = (n: number): number => (n === 0 ? 2 ** 30 : n & -n);

/**
 * How the values of an integer program differ among `count` neighbours along the innermost axis, the first of which is at a multiple of `count`, a power of two;
 * undefined where that depends on more than the place. So numbers for `lookup` that go up together, or by halves, are read by one load.
 * @param known of values that are loaded or counted
 * @param step only every so many of the neighbours are looked at
 */
export function lanePatterns(
  instructions: readonly Instruction[],
  count: number,
  known: (i: Instruction) => Known | undefined,
  step = 1,
): (LanePattern | undefined)[] {
  const same: readonly number[] = new Array<number>(count / step).fill(0);
  const patterns: (LanePattern | undefined)[] = [];
  for (const i of instructions) {
    const leaf = known(i);
    if (leaf === "counted") patterns.push({ multiple: count, offsets: same.map((_, lane) => lane * step) });
    else patterns.push(leaf === "same" ? { multiple: 1, offsets: same } : patternOf(i));
  }
  return patterns;

  function patternOf(i: Instruction): LanePattern | undefined {
    if (i.op === "const") return { multiple: evenness(i.value), offsets: same };
    const { a, b, c } = i as { readonly a?: number; readonly b?: number; readonly c?: number };
    const operands = [a, b, c].flatMap((at) => (at === undefined ? [] : [patterns[at]]));
    if (operands.length === 0 || operands.some((p) => !p)) return undefined;
    const [x, y] = operands as [LanePattern, LanePattern];
    const by = b === undefined ? undefined : constantOf(instructions[b]!);
    if (i.dtype === "i32" && operands.length === 2) {
      if (i.op === "add" || i.op === "sub") {
        const sign = i.op === "add" ? 1 : -1;
        return { multiple: Math.min(x.multiple, y.multiple), offsets: x.offsets.map((o, l) => o + sign * y.offsets[l]!) };
      }
      if (i.op === "mul" && by !== undefined) return scaled(x, by);
      if (i.op === "shiftLeft" && by !== undefined && by < 31) return scaled(x, 2 ** by);
      if (i.op === "shiftRight" && by !== undefined && by < 31) return divided(x, 2 ** by, same);
      if (i.op === "bitAnd" && by !== undefined && evenness(by + 1) === by + 1) return remainder(x, by + 1);
    }
    if (i.op === "lt" && by !== undefined && by % x.multiple === 0 && within(x)) return { multiple: 1, offsets: same };
    return operands.every((p) => p!.offsets.every((o) => o === 0)) ? { multiple: 1, offsets: same } : undefined;
  }
}

const constantOf = (i: Instruction): number | undefined => (i.op === "const" && i.value >= 0 ? i.value : undefined);

const scaled = ({ multiple, offsets }: LanePattern, by: number): LanePattern => ({
  multiple: Math.min(2 ** 30, multiple * evenness(by)),
  offsets: offsets.map((o) => o * by),
});

/** True if no lane is more than the base is a multiple of, so that its quotient by that is the base's. */
const within = ({ multiple, offsets }: LanePattern): boolean => offsets.every((o) => o >= 0 && o < multiple);

/** ⌊x / by⌋ */
function divided(x: LanePattern, by: number, same: readonly number[]): LanePattern | undefined {
  if (x.multiple >= by) return { multiple: x.multiple / by, offsets: x.offsets.map((o) => Math.floor(o / by)) };
  return within(x) ? { multiple: 1, offsets: same } : undefined;
}

/** x mod by */
function remainder(x: LanePattern, by: number): LanePattern | undefined {
  if (x.multiple >= by) return { multiple: 2 ** 30, offsets: x.offsets.map((o) => ((o % by) + by) % by) };
  return within(x) ? x : undefined;
}
