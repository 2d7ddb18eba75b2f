import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { expect, test, vi } from "vitest";
import { KERNELS } from "./kernels/index.js";

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

test("the README's table of kernels has every row of KERNELS, and no other", () => {
  const section = text("../README.md").split("## Kernels\n")[1]!.split("\n## ")[0]!;
  const steps = section.split("\n").flatMap((line) => /^\| (`.*?) \|/.exec(line)?.[1] ?? []);
  // What stands in parentheses says where a kernel comes from.
  const named = steps.flatMap((step) => [...step.replace(/\(.*?\)/g, "").matchAll(/`(\w+)`/g)].map((m) => m[1]!));
  expect([...new Set(named)].sort()).toEqual(["fused", ...Object.keys(KERNELS.ops), ...Object.keys(KERNELS.composites)].sort());
});
