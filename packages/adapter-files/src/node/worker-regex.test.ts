import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { createPatternPicker } from "../matching/pattern-key.js";
import { selectTargets } from "../matching/targets.js";
import { createWorkerRegex, type WorkerRegex } from "./worker-regex.js";

interface Outcome {
  pattern: string;
  valid: boolean;
  matched?: string[];
}
const python = JSON.parse(readFileSync(new URL("../matching/fixtures/regex.json", import.meta.url), "utf8")) as {
  names: string[];
  patterns: Outcome[];
  unsafe: Outcome[];
};
const names = ["model.layers.0.q_proj", "model.layers.0.mlp.up_proj", "lm_head_proj"];

let made: WorkerRegex[] = [];
const start = (timeoutMs?: number): WorkerRegex => {
  const worker = createWorkerRegex(timeoutMs);
  made.push(worker);
  return worker;
};
afterEach(async () => {
  await Promise.all(made.map((worker) => worker.close()));
  made = [];
});

test("look-around works in the thread", () => {
  expect(selectTargets({ targetModules: "^(?!.*lm_head).*proj$" }, names, start()).matched).toEqual(names.slice(0, 2));
});

test("it agrees with Python wherever RegExp has the feature", () => {
  const { engine } = start(30_000);
  let checked = 0;
  for (const { pattern, valid, matched } of [...python.patterns, ...python.unsafe]) {
    if (!valid || !matched) continue;
    let match: ReturnType<typeof engine>;
    try {
      match = engine(pattern, "full", "target_modules");
    } catch {
      continue; // possessive repeats, conditionals, inline flags
    }
    expect([pattern, python.names.filter((name) => match(name))]).toEqual([pattern, matched]);
    checked++;
  }
  expect(checked).toBeGreaterThan(50);
});

test("the index of a layer is found, as with the safe engine", () => {
  const selection = selectTargets(
    { targetModules: ["q_proj", "up_proj"], layersToTransform: [0], layersPattern: "lay(?=ers)ers" },
    names,
    start(),
  );
  expect(selection.matched).toEqual(names.slice(0, 2));
});

test("a pattern that runs away is ended, and so is all that follows", () => {
  const { engine } = start(200);
  const pick = createPatternPicker(["(?=a)(a+)+$"], "rank_pattern", engine);
  expect(() => pick(`${"a".repeat(60)}!`)).toThrowError(expect.objectContaining({ kind: "unsafe-regex" }));
  expect(() => pick("a")).toThrowError(expect.objectContaining({ kind: "unsafe-regex" }));
});
