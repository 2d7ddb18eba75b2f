import type { Device } from "../../device.js";
import type { Tensor } from "../../graph.js";
import { full } from "../../ops/create.js";
import { mul } from "../../ops/elementwise.js";
import { broadcastTo, reshape, rows, transpose } from "../../ops/movement.js";
import { type ConformanceCase, EXACT } from "../case.js";

const constant = (device: Device): Tensor => device.tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] });

/** Results that no operation makes, or that are had twice: each must be written into the memory that was given for it. */
const BUILDS: {
  readonly [name: string]: readonly [build: (device: Device) => readonly Tensor[], expected: readonly (readonly number[])[]];
} = {
  "an input": [(device) => [constant(device)], [[1, 2, 3, 4, 5, 6]]],
  "an input in another shape": [(device) => [reshape(constant(device), [3, 2])], [[1, 2, 3, 4, 5, 6]]],
  "rows of an input": [(device) => [rows(constant(device), 1, 2)], [[4, 5, 6]]],
  "an input, turned": [(device) => [transpose(constant(device))], [[1, 4, 2, 5, 3, 6]]],
  "an input, repeated": [(device) => [broadcastTo(device.tensor([7, 8]), [2, 2])], [[7, 8, 7, 8]]],
  "a number": [() => [full([3], 2.5)], [[2.5, 2.5, 2.5]]],
  "an input twice": [
    (device) => {
      const x = constant(device);
      return [x, x];
    },
    [
      [1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
    ],
  ],
  "a product twice, and a part of it": [
    (device) => {
      const y = mul(constant(device), 2);
      return [y, reshape(y, [6]), rows(y, 0, 1)];
    },
    [
      [2, 4, 6, 8, 10, 12],
      [2, 4, 6, 8, 10, 12],
      [2, 4, 6],
    ],
  ],
};

export const RESULT_CASES: readonly ConformanceCase[] = Object.entries(BUILDS).map(([name, [build, expected]]) => ({
  name: `result: ${name}`,
  build,
  expected,
  tolerance: EXACT,
  noGradient: "the results are what is tested",
}));
