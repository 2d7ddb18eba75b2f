import { grad, sum, type Tensor, tensor } from "@weft/tensor-core";
import { conformance, type ConformanceCase, FUNCTION, sample } from "@weft/tensor-core/testing";
import { describe, expect, it, vi } from "vitest";
import { BACKENDS, openBackend } from "./backends.js";

interface OwnFile {
  readonly softsign: object;
  readonly lanes: object;
}
const { ownFile } = vi.hoisted(() => ({ ownFile: (): Promise<OwnFile> => vi.importActual<OwnFile>("./own-operation/softsign.js") }));

// The line that each of the two lists would get: of definitions, and of formulas.
vi.mock("../../../packages/tensor-core/src/primitives/unary.js", async (original) => ({
  ...(await original<object>()),
  softsign: (await ownFile()).softsign,
}));
vi.mock("../../../packages/tensor-core/src/primitives/lanes.js", async (original) => ({
  ...(await original<object>()),
  softsign: (await ownFile()).lanes,
}));

interface Graph {
  applyPrimitive(name: string, inputs: readonly Tensor[]): Tensor;
}
const { applyPrimitive } = await vi.importActual<Graph>("../../../packages/tensor-core/src/apply-primitive.js");
const softsign = (x: Tensor): Tensor => applyPrimitive("softsign", [x]);

const CASES: readonly ConformanceCase[] = [
  { name: "softsign: odd length", build: (d) => softsign(sample(d, [67])), tolerance: FUNCTION },
  {
    name: "softsign: known values",
    build: (d) => softsign(d.tensor([0, 1, -1, 3, -4, 1e30])),
    tolerance: FUNCTION,
    expected: [[0, 0.5, -0.5, 0.75, -0.8, 1]],
  },
];

describe.each(BACKENDS)("an elementwise operation that is one file: %s", (name) => {
  it("gives its values and gradients", async (context) => {
    const backend = await openBackend(name);
    if (!backend) return context.skip();
    const { checks, close } = conformance(() => backend, CASES);
    for (const { run } of checks) await run();
    await close();
  });
});

it("its gradient is 1 / (1 + |x|)²", async () => {
  const slope = await grad((x: Tensor) => sum(softsign(x)))(tensor([0, 1, -1, 3])).data();
  expect([...slope]).toEqual([1, 0.25, 0.25, 0.0625]);
});
