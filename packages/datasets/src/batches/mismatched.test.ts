import { expect, test } from "vitest";
import { mismatched } from "./mismatched.js";

const example = (prompt: readonly number[], completion: readonly number[]) => ({
  ids: Int32Array.from([...prompt, ...completion]),
  labels: Int32Array.from([...prompt.map(() => -100), ...completion]),
});

test("each prompt is followed by the completion of the next example, as far as there is room", () => {
  const found = mismatched([example([1, 2], [3]), example([4], [5, 6, 7])], 4);
  expect(found.map(({ ids }) => [...ids])).toEqual([
    [1, 2, 5, 6],
    [4, 3],
  ]);
  expect(found.map(({ labels }) => [...labels])).toEqual([
    [-100, -100, 5, 6],
    [-100, 3],
  ]);
});
