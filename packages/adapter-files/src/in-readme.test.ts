import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";

const text = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

test("the README's example is the one that runs, and prints what the README says", async () => {
  const blocks = [...text("../README.md").matchAll(/```(ts|text)\n([^]*?)```/g)].map(([, language, block]) => [language, block] as const);
  const [example, printed] = [blocks.find(([language]) => language === "ts")![1]!, blocks.find(([language]) => language === "text")![1]!];
  expect(text("../examples/match.ts")).toBe(example);

  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => void lines.push(values.join(" ")));
  const before = process.cwd();
  process.chdir(fileURLToPath(new URL("../../../", import.meta.url)));
  try {
    await import(new URL("../examples/match.ts", import.meta.url).href);
  } finally {
    process.chdir(before);
    log.mockRestore();
  }
  expect(`${lines.join("\n")}\n`).toBe(printed);
});
