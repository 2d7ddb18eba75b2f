import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ConfigJson } from "../config-fields.js";
import { readLlamaConfig } from "./config.js";
import { ropeFrequencies } from "./rope.js";

const { rope } = JSON.parse(readFileSync(new URL("fixtures/llama.json", import.meta.url), "utf8")) as {
  rope: { name: string; config: ConfigJson; positions: number; inverse: number[]; factor: number }[];
};

describe("rotary frequencies are those of transformers", () => {
  test.each(rope)("$name", ({ config, positions, inverse, factor }) => {
    const got = ropeFrequencies(readLlamaConfig(config), positions);
    expect(got.factor).toBeCloseTo(factor, 12);
    expect(got.inverse.length).toBe(inverse.length);
    // transformers computes in f32.
    for (const [j, want] of inverse.entries()) expect(Math.abs(got.inverse[j]! / want - 1), `pair ${j}`).toBeLessThan(2e-6);
  });
});

test("dynamic and longrope depend on the positions that are seen, the others do not", () => {
  for (const { name, config } of rope) {
    const c = readLlamaConfig(config);
    const same = ropeFrequencies(c, 16).inverse.join() === ropeFrequencies(c, 100_000).inverse.join();
    expect(same, name).toBe(c.rope.type !== "dynamic" && c.rope.type !== "longrope");
  }
});
