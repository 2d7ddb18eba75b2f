import { describe, expect, it } from "vitest";
import { callComposite, type Composite } from "../composite.js";
import { topologicalOrder } from "../graph.js";
import { full } from "../ops/create.js";
import { add, exp, mul } from "../ops/elementwise.js";
import { expandComposites } from "./expand-composites.js";

let made = 0;
const INNER: Composite = { name: "inner", decompose: ([x]) => [exp(x!)] };
const OUTER: Composite = {
  name: "outer",
  decompose: ([x, y]) => {
    made++;
    return [add(callComposite(INNER, [x!])[0]!, y!), mul(x!, y!)];
  },
};

describe("expanding composites", () => {
  it("uses the decompositions that the graph holds, each once, and goes into those within them", () => {
    let [x, y] = [full([2], 1), full([2], 2)];
    for (let i = 0; i < 100; i++) [x, y] = callComposite(OUTER, [x, y]) as [typeof x, typeof y];
    expect(made).toBe(100);
    const asked: string[] = [];
    const expanded = expandComposites([x, y], ({ op }) => asked.push(op) < 0);
    expect(made).toBe(100);
    expect(asked).toHaveLength(200);
    const ops = topologicalOrder(expanded).map((n) => n.op);
    expect(ops.filter((op) => op === "inner" || op === "outer")).toEqual([]);
    expect(ops.filter((op) => op === "exp")).toHaveLength(100);
  });
  it("keeps the calls that are to stay, on their rewritten inputs", () => {
    const [x] = callComposite(OUTER, [full([2], 1), full([2], 2)]);
    const [y] = callComposite(INNER, [x!]);
    const [expanded] = expandComposites([y!], ({ op }) => op === "inner");
    expect(topologicalOrder([expanded!]).map((n) => n.op)).toEqual(["full", "inner", "full", "add", "inner"]);
  });
});
