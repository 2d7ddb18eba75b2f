import { constants } from "node:buffer";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { layoutFile } from "../index.js";
import { AtomicFile, hashFile, openFileBytes, openWeights } from "./index.js";

const ROWS = 1_310_720;
const COLUMNS = 1024;
/** 5 GiB: beyond 32 bits, and beyond what one array can hold in Node 20. */
const BYTES = ROWS * COLUMNS * 4;

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weft-sparse-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A file of two tensors, the second after 5 GiB of holes; a few values are set. */
function makeFile(): string {
  const path = join(folder, "large.safetensors");
  const { header, size, tensors } = layoutFile([
    { name: "large", dtype: "F32", shape: [ROWS, COLUMNS] },
    { name: "small", dtype: "U8", shape: [3] },
  ]);
  const fd = openSync(path, "wx");
  ftruncateSync(fd, size);
  writeSync(fd, header, 0, header.byteLength, 0);
  const value = (row: number, column: number): void =>
    void writeSync(fd, Float32Array.of(row + column / COLUMNS), 0, 4, tensors[0]!.offset + (row * COLUMNS + column) * 4);
  for (const row of [0, 1_048_576, ROWS - 2, ROWS - 1]) value(row, 7);
  writeSync(fd, Uint8Array.of(1, 2, 3), 0, 3, tensors[1]!.offset);
  closeSync(fd);
  return path;
}

it("reads what lies beyond 4 GiB, in little memory and without disk", async () => {
  const path = makeFile();
  const { size, blocks } = statSync(path);
  expect(size).toBeGreaterThan(BYTES);
  expect(blocks * 512).toBeLessThan(1 << 20);
  const before = process.memoryUsage();
  const source = await openWeights(path);
  expect(source.info("large").bytes).toBe(BYTES);
  for (const row of [0, 1_048_576, ROWS - 2]) {
    const { data, shape } = await source.read("large", [row, row + 2]);
    expect(shape).toEqual([2, COLUMNS]);
    const values = new Float32Array(data.buffer);
    expect(values[7]).toBe(Math.fround(row + 7 / COLUMNS));
    expect(values[COLUMNS + 7]).toBe(row === ROWS - 2 ? Math.fround(ROWS - 1 + 7 / COLUMNS) : 0);
  }
  expect([...(await source.read("small")).data]).toEqual([1, 2, 3]);
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 << 20);
  expect(await hashFile(path, size - 3)).toBe("039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81");
  await source.close();
});

// Later versions of Node make larger arrays.
it.runIf(constants.MAX_LENGTH < BYTES)("says that a tensor is too large to be read at once", async () => {
  const source = await openWeights(makeFile());
  await expect(source.read("large")).rejects.toMatchObject({ name: "CapabilityError", kind: "too-large" });
  await source.close();
});

it("writes beyond 4 GiB", async () => {
  const path = join(folder, "written");
  const file = new AtomicFile(path, BYTES);
  file.writeAt(Uint8Array.of(1, 2, 3, 4), BYTES - 4);
  await file.commit();
  const bytes = openFileBytes(path);
  expect(bytes.size).toBe(BYTES);
  expect([...(await bytes.read(BYTES - 5, 5))]).toEqual([0, 1, 2, 3, 4]);
  await bytes.close();
});
