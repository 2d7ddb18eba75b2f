import { selectiveScan as call } from "../../../composites/selective-scan.js";
import type { Device } from "../../../device.js";
import type { Tensor } from "../../../graph.js";
import { mul, neg } from "../../../ops/elementwise.js";
import { CHAIN, type ConformanceCase, positive, sample } from "../../case.js";

const run = (d: Device, batch: number, length: number, channels: number, states: number): Tensor[] => {
  const { y, state } = call({
    x: sample(d, [batch, length, channels]),
    delta: mul(positive(d, [batch, length, channels], "f32", 2), 0.2),
    a: neg(positive(d, [channels, states], "f32", 3)),
    b: sample(d, [batch, length, states], "f32", 4),
    c: sample(d, [batch, length, states], "f32", 5),
    d: sample(d, [channels], "f32", 6),
    start: sample(d, [batch, channels, states], "f32", 7),
  });
  return [y, state];
};

export const selectiveScan: readonly ConformanceCase[] = [
  { name: "selectiveScan: one step, and some", build: (d) => [...run(d, 2, 1, 5, 4), ...run(d, 2, 9, 6, 3)], tolerance: CHAIN },
  { name: "selectiveScan: more steps than one chunk", build: (d) => run(d, 1, 131, 2, 2), tolerance: CHAIN },
];
