import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { everyNth } from "./every-nth.js";

const root = mkdtempSync(join(tmpdir(), "weft-golden-"));
const FILES: Readonly<Record<string, [file: string, content: object]>> = {
  "peft/a": ["case.json", { method: "Lora" }],
  "peft/b": ["case.json", { method: "Lora" }],
  "peft/c": ["case.json", { method: "Oft" }],
  "peft/d": ["case.json", { method: "Lora" }],
  "peft/e": ["case.json", { method: "Lora" }],
  "lycoris/modules/f": ["case.json", { algo: "lokr" }],
  "lycoris/modules/g": ["case.json", { algo: "loha" }],
  "lycoris/modules/h": ["case.json", { algo: "lokr" }],
  "models/i": ["config.json", { model_type: "qwen3" }],
  "models/j": ["config.json", { model_type: "llama" }],
};
const names = [...Object.keys(FILES), "peft/matching", "peft/other"];
const pick = (every: number): string[] =>
  everyNth(
    names.map((name) => ({ name, run: async () => ({ status: "unsupported", detail: "" }) })),
    root,
    every,
  ).map(({ name }) => name);

beforeAll(() => {
  for (const [name, [file, content]] of Object.entries(FILES)) {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, file), JSON.stringify(content));
  }
});
afterAll(() => rmSync(root, { recursive: true }));

it("takes a third of each method's cases, rounded up, and leaves no method, algorithm or architecture out", () => {
  expect(pick(3)).toEqual([
    "peft/a",
    "peft/c",
    "peft/e",
    "lycoris/modules/f",
    "lycoris/modules/g",
    "models/i",
    "models/j",
    "peft/matching",
  ]);
});
it("takes all of them where every one is asked for", () => {
  expect(pick(1)).toEqual(names);
});
