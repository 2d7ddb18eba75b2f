import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { moduleOrder } from "./module-order.js";

const file = new URL("../../../../fixtures/module_orders.json", import.meta.url);
const { orders } = JSON.parse(readFileSync(file, "utf8")) as { orders: { readonly [modelType: string]: readonly string[] } };

describe("moduleOrder", () => {
  it.each(Object.entries(orders))("%s: the order of transformers' code, from names in alphabetical order", (modelType, paths) => {
    expect(paths.length).toBeGreaterThan(40);
    expect(moduleOrder(modelType, paths.toSorted())).toEqual(paths);
  });

  it("takes a part of the modules", () => {
    expect(
      moduleOrder("llama", ["model.layers.10.self_attn.k_proj", "model.layers.2.mlp.up_proj", "model.layers.2.self_attn.q_proj"]),
    ).toEqual(["model.layers.2.self_attn.q_proj", "model.layers.2.mlp.up_proj", "model.layers.10.self_attn.k_proj"]);
  });

  it("does not guess", () => {
    expect(moduleOrder("unheard_of", ["a.0.q_proj"])).toBeUndefined();
    expect(moduleOrder(undefined, ["a.0.q_proj"])).toBeUndefined();
    expect(moduleOrder("llama", ["model.layers.0.self_attn.q_proj", "model.layers.0.router"])).toBeUndefined();
  });
});
