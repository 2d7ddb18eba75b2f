import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/cli.js";
import { parseScaledPath } from "./scaled-path.js";

const folder = temporaryFolder();
for (const name of ["lora", "run_12:30"]) mkdirSync(join(folder, name));
const lora = join(folder, "lora");
const run = join(folder, "run_12:30");

describe("a path with a factor", () => {
  it.each([
    [lora, lora, 1],
    [`${lora}:0.8`, lora, 0.8],
    [`${lora}:-1`, lora, -1],
    [`${lora}:.5e-1`, lora, 0.05],
    [run, run, 1],
    [`${run}:0.5`, run, 0.5],
    ["not-there:0.5", "not-there", 0.5],
    ["not-there:abc", "not-there:abc", 1],
    ["C:\\lora", "C:\\lora", 1],
    ["C:\\lora:0.5", "C:\\lora", 0.5],
    ["hf:user/lora", "hf:user/lora", 1],
    ["hf:user/lora@main:2", "hf:user/lora@main", 2],
  ])("%s", (text, path, scale) => expect(parseScaledPath(text)).toEqual({ path, scale }));

  it.each([`${lora}:abc`, `${lora}:`, `${lora}:1e999`, `${lora}:0,5`, `${run}:x`, "hf:user/lora:x"])("%s is mistyped", (text) =>
    expect(() => parseScaledPath(text)).toThrow(/the factor ".*" is not a finite number/),
  );
});
