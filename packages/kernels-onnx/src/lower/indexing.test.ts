import { gather, placeholder, planGraph } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { operatorsOf } from "../model/reader.js";
import { lowerPlan } from "./lower-plan.js";

it.each(["u8", "f16", "bf16", "f8e4m3"] as const)("widens of a table of %s only what is picked", (dtype) => {
  const [table, index] = [placeholder({ shape: [1000, 8], dtype }), placeholder({ shape: [3], dtype: "i32" })];
  const { plan } = planGraph([gather(table, index)], [table, index], () => false);
  const operators = operatorsOf(lowerPlan(plan).graph.model());
  expect(operators).toContain("Gather");
  expect(operators.slice(0, operators.indexOf("Gather"))).not.toContain("Cast");
});
