import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { referenceDevice } from "../device.js";
import { topologicalOrder } from "../graph.js";
import { PRIMITIVES } from "../primitives/index.js";
import { createReferenceBackend } from "../reference/backend.js";
import { CASES } from "./cases/index.js";
import { conformance } from "./conformance.js";
import { gradientsOf, outputsOf } from "./evaluate.js";

// Of the other cases the reference is the measure: those of each backend compute them by it.
describe("the reference backend, beside what does not come from it", () => {
  const { checks, close } = conformance(
    createReferenceBackend,
    CASES.filter(({ expected }) => expected),
  );
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});

describe("the table of cases", () => {
  const outputs = CASES.map((c) => outputsOf(c, referenceDevice()));
  const used = new Set(topologicalOrder(outputs.flat()).map((node) => node.op));
  it("has every primitive", () => {
    expect(Object.keys(PRIMITIVES).filter((op) => !used.has(op))).toEqual([]);
  });
  it("has every composite: a file of cases in cases/composites for each", () => {
    const sources = new URL("..", import.meta.url);
    const defined = readdirSync(sources, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
      .flatMap((path) => [...readFileSync(new URL(path, sources), "utf8").matchAll(/: Composite = \{\s*name: "(\w+)"/g)].map((m) => m[1]!));
    expect(defined).toContain("checkpoint");
    // Some occur only in the gradients of others.
    const all = new Set(
      topologicalOrder(outputs.flatMap((list) => [...list, ...gradientsOf(list, referenceDevice())])).map((node) => node.op),
    );
    expect(defined.filter((name) => !all.has(name))).toEqual([]);
  });
  it("names each case once", () => {
    const names = CASES.map((c) => c.name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});
