import { describe, expect, it } from "vitest";
import { boxOfWeight, placeBox, placeJoined, placeStack, placeTransposed, placeWhole, wholeTensor } from "./placement.js";

const F32 = "F32";
const matrix = (name: string, ...shape: number[]) => placeWhole(name, { shape, dtype: F32 });

/** [expert][gate 3 | up 3][4]: every expert's gate and up joined, all stacked. */
const experts = placeStack([0, 1].map((e) => placeJoined([matrix(`${e}.gate`, 3, 4), matrix(`${e}.up`, 3, 4)], 0)));

describe("where a weight lies", () => {
  it("stacks of joined matrices", () => {
    expect(experts.shape).toEqual([2, 6, 4]);
    // prettier-ignore
    expect(experts.parts.map(({ tensor, of }) => [tensor, of])).toEqual([
      ["0.gate", [[0, 1], [0, 3], [0, 4]]],
      ["0.up", [[0, 1], [3, 6], [0, 4]]],
      ["1.gate", [[1, 2], [0, 3], [0, 4]]],
      ["1.up", [[1, 2], [3, 6], [0, 4]]],
    ]);
  });
  it("one matrix of a stack that is made of it is that matrix", () => {
    const up = placeBox(experts, [1, [3, 6]]);
    expect(up.shape).toEqual([3, 4]);
    expect(wholeTensor(up, { info: () => ({ shape: [3, 4], dtype: F32 }) })).toBe("1.up");
  });
  it("rows of a stored stack, turned", () => {
    const stored = placeTransposed(matrix("stack", 2, 4, 6)); // seen as [2, 6, 4]
    const up = placeBox(stored, [1, [3, 6]]);
    // prettier-ignore
    expect(up).toEqual({ shape: [3, 4], dtype: F32, parts: [{ tensor: "stack", within: [[1, 2], [0, 4], [3, 6]], of: [[0, 3], [0, 4]], transposed: true }] });
    expect(wholeTensor(up, { info: () => ({ shape: [2, 4, 6], dtype: F32 }) })).toBeUndefined();
    // prettier-ignore
    expect(boxOfWeight(up.parts[0]!, [[1, 2], [1, 3], [4, 6]])).toEqual([[1, 3], [1, 3]]);
  });
});
