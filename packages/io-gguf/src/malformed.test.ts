import { readFileSync } from "node:fs";
import { join } from "node:path";
import { WeftError } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { openGguf } from "./index.js";
import { openGgufPath } from "./node/index.js";

const root = join(import.meta.dirname, "../../../fixtures/malformed");
interface Entry {
  file: string;
  format: string;
  what: string;
  expect: "accept" | "reject";
  kinds: string[];
}
const files = (JSON.parse(readFileSync(join(root, "manifest.json"), "utf8")) as { files: Entry[] }).files.filter(
  ({ format }) => format === "gguf",
);

const verdict = async (open: Promise<{ close(): Promise<void> }>): Promise<string> => {
  try {
    await (await open).close();
    return "accept";
  } catch (error) {
    return error instanceof WeftError ? error.kind : String(error);
  }
};

describe("malformed GGUF files", () => {
  it("are there", () => expect(files.length).toBeGreaterThan(40));
  it.each(files)("$file: $what → $expect $kinds", async ({ file, expect: expected, kinds }) => {
    const path = join(root, file);
    for (const open of [() => openGgufPath(path), () => openGguf(new Blob([readFileSync(path)]))])
      expect(expected === "accept" ? ["accept"] : kinds).toContain(await verdict(open()));
  });
});
