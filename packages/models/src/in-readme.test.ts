import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";

const text = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

const blocks = [...text("../README.md").matchAll(/```(ts|text)\n([^]*?)```/g)].map(([, language, block]) => [language, block] as const);
const each = (language: string): string[] => blocks.filter(([l]) => l === language).map(([, block]) => block!);

test.each(["forward", "packed", "decode"].map((name, i) => ({ name, i })))(
  "the README's example $name is the one that runs, and prints what it says",
  async ({ name, i }) => {
    expect(text(`../examples/${name}.ts`)).toBe(each("ts")[i]);

    const lines: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => void lines.push(values.join(" ")));
    const before = process.cwd();
    process.chdir(fileURLToPath(new URL("../../../", import.meta.url)));
    try {
      await import(new URL(`../examples/${name}.ts`, import.meta.url).href);
    } finally {
      process.chdir(before);
      log.mockRestore();
    }
    expect(`${lines.join("\n")}\n`).toBe(each("text")[i]);
  },
);
