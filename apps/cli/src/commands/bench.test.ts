import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
afterEach(() => vi.unstubAllEnvs());

describe("weft bench", () => {
  it("--tune writes what it finds where the next run reads it", async () => {
    const file = join(folder, "tuning.json");
    vi.stubEnv("WEFT_TUNING", file);
    const plain = await weft("bench", "--json");
    expect(plain.code).toBe(0);
    const lines = (stdout: string): { tuned?: boolean; file?: string; speeds?: { gflops: number }[] }[] =>
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object);
    expect(lines(plain.stdout).at(-1)).toMatchObject({ tuned: false });
    expect(existsSync(file)).toBe(false);

    const tuned = await weft("bench", "--tune", "--json");
    expect(tuned.code).toBe(0);
    const result = lines(tuned.stdout).at(-1)!;
    expect(result).toMatchObject({ tuned: true, file });
    for (const { gflops } of result.speeds!) expect(gflops).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ format: 1 });
    expect(lines((await weft("bench", "--json")).stdout).at(-1)).toMatchObject({ tuned: true });
  });
});
