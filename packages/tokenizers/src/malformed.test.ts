import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { WeftError } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { openTokenizer } from "./node/index.js";

const root = join(import.meta.dirname, "../../../fixtures/malformed");
interface Entry {
  file: string;
  format: string;
  what: string;
  expect: "accept" | "reject" | "either";
  kinds: string[];
}
const files = (JSON.parse(readFileSync(join(root, "manifest.json"), "utf8")) as { files: Entry[] }).files.filter(
  ({ format }) => format === "tokenizer",
);

describe("malformed tokenizers", () => {
  it("are there", () => expect(files.length).toBe(7));
  it.each(files)("$file: $what → $expect $kinds", async ({ file, expect: expected, kinds }) => {
    const verdict = async (path: string): Promise<string> => {
      try {
        (await openTokenizer(path)).encode(`${"a".repeat(64)}!`);
        return "accept";
      } catch (error) {
        // An unknown character is the fault of the text, not of the file.
        if (error instanceof WeftError) return error.kind === "unknown-token" ? "accept" : error.kind;
        return String(error);
      }
    };
    const allowed = expected === "accept" ? ["accept"] : expected === "reject" ? kinds : ["accept", ...kinds];
    for (const path of [join(root, file), dirname(join(root, file))]) expect(allowed).toContain(await verdict(path));
  });
});
