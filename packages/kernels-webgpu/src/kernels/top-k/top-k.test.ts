import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const both = (t: w.Tensor, k: number): w.Tensor[] => Object.values(w.topK(t, k));

describe("topK", () => {
  it("is one kernel, where the decomposition is programs over the rows and concatenations", async () => {
    const total = (k: number): w.Tensor => both(x([3, 100]), k).reduce((a, b) => w.add(w.sum(a), w.sum(b)));
    const [claimed, plain] = [await kernelsOf(gpu, total(8)), await kernelsOf(gpu, total(8), false)];
    expect(claimed.filter((name) => name === "topK")).toHaveLength(1);
    expect(plain.length).toBeGreaterThan(claimed.length + 2);
  });
});
