import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { expect, test, vi } from "vitest";

const text = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

test("the README's example is the one that runs, and prints what the README says", async () => {
  const blocks = [...text("../README.md").matchAll(/```(ts|text)\n([^]*?)```/g)];
  const [example, printed] = ["ts", "text"].map((language) => blocks.find((b) => b[1] === language)![2]);
  expect(text("../examples/lora.ts")).toBe(example);
  const lines: string[] = [];
  const log = vi
    .spyOn(console, "log")
    .mockImplementation((...values: unknown[]) => void lines.push(values.map((v) => (typeof v === "string" ? v : inspect(v))).join(" ")));
  await import(new URL("../examples/lora.ts", import.meta.url).href).finally(() => log.mockRestore());
  expect(`${lines.join("\n")}\n`).toBe(printed);
});
