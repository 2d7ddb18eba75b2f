import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { WeftError } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { openWeights } from "./node/index.js";

const root = join(import.meta.dirname, "../../../fixtures/malformed");
interface Entry {
  file: string;
  format: string;
  what: string;
  expect: "accept" | "reject" | "either";
  kinds: string[];
}
const { files } = JSON.parse(readFileSync(join(root, "manifest.json"), "utf8")) as { files: Entry[] };

describe.each(["safetensors", "index", "pickle"])("malformed %s files", (part) => {
  const entries = files.filter((f) => f.file.startsWith(`${part}/`));
  it("are there", () => expect(entries.length).toBeGreaterThan(1));
  it.each(entries)("$file: $what → $expect $kinds", async (entry) => {
    expect(existsSync(join(root, entry.file))).toBe(true);
    let kind: string | undefined;
    try {
      await (await openWeights(join(root, entry.file))).close();
    } catch (error) {
      expect(error).toBeInstanceOf(WeftError);
      kind = (error as WeftError).kind;
    }
    if (entry.expect === "accept") expect(kind).toBeUndefined();
    if (entry.expect === "reject") expect(entry.kinds).toContain(kind);
    if (entry.expect === "either" && kind !== undefined) expect(entry.kinds).toContain(kind);
  });
});
