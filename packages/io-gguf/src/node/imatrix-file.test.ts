import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { meansOf } from "../imatrix/imatrix.js";
import { readImatrix, writeImatrix } from "./imatrix-file.js";

const FIXTURES = fileURLToPath(new URL("../../../../fixtures/imatrix", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "weft-imatrix-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each(["imatrix.gguf", "imatrix.dat"])("%s: what llama.cpp wrote is read, and written again byte for byte", async (name) => {
  const theirs = join(FIXTURES, name);
  const imatrix = await readImatrix(theirs);
  expect([imatrix.entries.size, imatrix.chunks, imatrix.datasets]).toEqual([14, 3, ["calibration.txt"]]);
  await writeImatrix(join(folder, name), imatrix);
  expect(readFileSync(join(folder, name)).equals(readFileSync(theirs))).toBe(true);
});

it("both forms say the same of an input", async () => {
  const [gguf, dat] = await Promise.all(["imatrix.gguf", "imatrix.dat"].map((name) => readImatrix(join(FIXTURES, name))));
  for (const [name, entry] of gguf!.entries) {
    const [want, got] = [meansOf(entry), meansOf(dat!.entries.get(name)!)];
    want.forEach((mean, i) => expect(Math.abs(got[i]! / mean - 1)).toBeLessThan(3e-7));
  }
});

it("what saw no token counts 1", () =>
  expect([...meansOf({ sums: Float32Array.of(6, 8, 0, 0), counts: Float32Array.of(2, 0) })]).toEqual([3, 4, 1, 1]));

const dat = readFileSync(join(FIXTURES, "imatrix.dat"));
const changed = (change: (bytes: Buffer) => void): Buffer => {
  const copy = Buffer.from(dat);
  change(copy);
  return copy;
};
it.each([
  ["nothing", Buffer.alloc(0), "truncated", "within the number of entries"],
  ["no entries", changed((b) => b.writeInt32LE(0, 0)), "imatrix", "the number of entries is 0"],
  ["a name without an end", changed((b) => b.writeInt32LE(1 << 30, 4)), "imatrix", "the length of name 0"],
  ["a cut file", dat.subarray(0, 200), "truncated", 'the file ends at byte 200, within the values of "blk.0.attn_k.weight"'],
  ["more values than the file", changed((b) => b.writeInt32LE(2 ** 30, 8 + 19 + 4)), "truncated", "within the values of"],
  ["NaN", changed((b) => b.writeFloatLE(NaN, 8 + 19 + 8)), "imatrix", "sum 0 is NaN"],
  ["a negative number", changed((b) => b.writeFloatLE(-1, 8 + 19 + 8)), "imatrix", "sum 0 is -1"],
])("%s is refused", async (_, bytes, kind, message) => {
  const path = join(folder, "bad.dat");
  writeFileSync(path, bytes);
  await expect(readImatrix(path)).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
});

it("a GGUF file of a model is none", async () => {
  await expect(readImatrix(fileURLToPath(new URL("../../../../fixtures/quant/tiny.gguf", import.meta.url)))).rejects.toMatchObject({
    kind: "imatrix",
  });
});
