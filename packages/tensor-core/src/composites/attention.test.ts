import { expect, it } from "vitest";
import { referenceDevice } from "../device.js";
import { concat, slice } from "../ops/movement.js";
import { sample } from "../testing/case.js";
import { attention } from "./attention.js";

const d = referenceDevice();
const [q, k, v] = [sample(d, [2, 2, 3, 4]), sample(d, [2, 1, 9, 4], "f32", 2), sample(d, [2, 1, 9, 4], "f32", 3)];

it.each([true, false])("with lengths sees what it would of a cache that has only so many keys (causal %s)", async (causal) => {
  const counts = [9, 5];
  const got = await attention(q, k, v, { causal, lengths: d.tensor(counts, { dtype: "i32" }) }).data();
  const alone = counts.map((count, i) => {
    const keys = [
      [i, i + 1],
      [0, 1],
      [0, count],
    ] as const;
    return attention(slice(q, [[i, i + 1]]), slice(k, keys), slice(v, keys), { causal });
  });
  expect([...got]).toEqual([...(await concat(alone, 0).data())]);
});
it("refuses masks and lengths of other dtypes, and lengths that are not one for each of the batch", () => {
  const of = (values: number[], dtype: "i32" | "f32" | "bool") => d.tensor(values, { dtype });
  expect(() => attention(q, k, v, { mask: of([1, 1, 1, 1, 1, 1, 1, 1, 1], "f32") })).toThrow("the mask is f32, expected bool");
  expect(() => attention(q, k, v, { lengths: of([3, 3], "f32") })).toThrow("lengths are f32, expected i32");
  expect(() => attention(q, k, v, { lengths: of([3], "i32") })).toThrow("lengths are [1], expected one for each of the batch, [2]");
});
