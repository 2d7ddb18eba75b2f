import { expect, it } from "vitest";
import { createChosenBy } from "./chosen-by.js";
import { minimalTargets } from "./minimal-targets.js";

const paths = (names: readonly string[], layers = 12, prefix = "model.decoder.layers"): string[] =>
  Array.from({ length: layers }, (_, i) => names.map((name) => `${prefix}.${i}.${name}`)).flat();

// The example of PEFT 0.21.2's _find_minimal_target_modules, and what it gives for the others.
it("many names become the suffixes that they have in common", () => {
  const targets = paths(["self_attn.q_proj", "self_attn.v_proj"]);
  expect([...minimalTargets(targets, paths(["self_attn.k_proj"]))].sort()).toEqual(["q_proj", "v_proj"]);
  expect([...minimalTargets(targets, ["vision.q_proj"])].sort()).toEqual(["self_attn.q_proj", "v_proj"]);
  expect(minimalTargets(["a.b", "c.d"], [])).toEqual(["a.b", "c.d"]);
});

it("the longest entry that fits a path chose it; few names stand for themselves", () => {
  const all = paths(["q", "k.q", "fc"], 3).map((path) => ({ path, linear: true }));
  const chosenBy = createChosenBy({ targetModules: ["q", "k.q", "layers.0.q"] }, all);
  expect([0, 1].map((i) => chosenBy(`model.decoder.layers.${i}.q`))).toEqual(["layers.0.q", "q"]);
  expect(chosenBy("model.decoder.layers.1.k.q")).toBe("k.q");
  expect(createChosenBy({ targetModules: ".*q" }, all)("model.decoder.layers.1.q")).toBe(".*q");
  expect(createChosenBy({ targetModules: "all-linear" }, all)(all[0]!.path)).toBe(all[0]!.path);
  const many = paths(["q", "fc"]).map((path) => ({ path, linear: true }));
  expect(createChosenBy({ targetModules: "all-linear" }, many)(many[3]!.path)).toBe("fc");
});
