import { openAsBlob, readFileSync, writeFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bytesOfBlob, bytesOfMemory, openSafetensors } from "./index.js";
import { given, WRITTEN } from "./testing/fixtures.js";

const bytes = readFileSync(join(WRITTEN, "all_dtypes.safetensors"));
const file = (name: string, from = name): File => new File([readFileSync(join(WRITTEN, "hub", from))], name);
const SHARDS = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
const INDEX = "model.safetensors.index.json";

describe.each([
  ["bytes", (): Uint8Array => bytes],
  ["a Blob", (): Blob => new Blob([bytes])],
  ["a list with one File", (): Blob[] => [new File([bytes], "x.safetensors")]],
])("%s", (_, input) => {
  it("holds what Python wrote", async () => {
    const { metadata, tensors } = given("all_dtypes");
    const source = await openSafetensors(input());
    expect(source.metadata).toEqual(metadata);
    expect(new Set(source.names())).toEqual(new Set(tensors.map(({ name }) => name)));
    for (const { name, dtype, shape, data } of tensors) {
      expect(source.info(name)).toMatchObject({ name, dtype, shape, bytes: (data as Uint8Array).byteLength });
      expect(await source.read(name)).toEqual({ dtype, shape, data });
    }
    await source.close();
  });

  it("is read by rows", async () => {
    const source = await openSafetensors(input());
    const { data } = given("all_dtypes").tensors.find(({ name }) => name === "b.float32")!;
    for (const [start, stop] of [
      [0, 3],
      [1, 2],
      [3, 3],
      [0, 0],
    ] as const) {
      expect(await source.read("b.float32", [start, stop])).toEqual({
        dtype: "F32",
        shape: [stop - start, 2],
        data: (data as Uint8Array).slice(start * 8, stop * 8),
      });
    }
    expect(await source.read("0.float32", [1, 2])).toEqual({ dtype: "F32", shape: [1, 0, 3], data: new Uint8Array(0) });
    for (const rows of [
      [-1, 1],
      [2, 1],
      [0, 4],
      [0.5, 1],
      [0, Number.NaN],
    ] as const)
      await expect(source.read("b.float32", rows)).rejects.toMatchObject({ name: "FormatError", kind: "rows", tensor: "b.float32" });
    await expect(source.read("none")).rejects.toMatchObject({ kind: "no-such-tensor" });
  });
});

describe("several files", () => {
  it("are opened by their index, whatever their order", async () => {
    const source = await openSafetensors([file(SHARDS[2]!), file(INDEX), file(SHARDS[0]!), file("unrelated.txt", INDEX), file(SHARDS[1]!)]);
    expect(source.info("large")).toMatchObject({ dtype: "BF16", shape: [40, 20], file: SHARDS[0] });
    expect((await source.read("b")).data).toEqual(new Uint8Array(BigInt64Array.from([0n, 1n, 2n, 3n, 4n, 5n, 6n]).buffer));
    expect((await source.read("none")).data).toEqual(new Uint8Array(0));
    expect([...source.names()]).toHaveLength(9);
    expect([source.has("none"), source.has("nothing")]).toEqual([true, false]);
    await expect(source.read("nothing")).rejects.toMatchObject({ kind: "no-such-tensor", file: INDEX });
    await source.close();
  });

  it.each<[string, () => File[], string]>([
    ["without an index", () => SHARDS.map((name) => file(name)), "missing-index"],
    ["none at all", () => [], "missing-index"],
    ["with a shard missing", () => [file(INDEX), file(SHARDS[0]!), file(SHARDS[1]!)], "missing-shard"],
    [
      "with two shards swapped",
      () => [file(INDEX), file(SHARDS[1]!, SHARDS[0]), file(SHARDS[0]!, SHARDS[1]), file(SHARDS[2]!)],
      "index-mismatch",
    ],
  ])("%s are refused", async (_, files, kind) => {
    await expect(openSafetensors(files())).rejects.toMatchObject({ name: "FormatError", kind });
  });
});

describe("bytes of a Blob", () => {
  it("that has no name are called so", () => {
    expect(bytesOfBlob(new Blob([])).location).toBe("blob");
    expect(bytesOfBlob(new File([], "a.bin")).location).toBe("a.bin");
  });

  it("whose file has changed since it was chosen cannot be read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-blob-"));
    try {
      const path = join(folder, "a.safetensors");
      writeFileSync(path, bytes);
      const source = await openSafetensors(await openAsBlob(path));
      writeFileSync(path, "changed");
      await expect(source.read("b.float32")).rejects.toMatchObject({ name: "IoError", kind: "io", file: "blob" });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it("bytes in memory are copied, so that a tensor at an odd byte is aligned", async () => {
  const memory = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8);
  const piece = await bytesOfMemory(memory).read(1, 8);
  expect(new Float64Array(piece.buffer)).toHaveLength(1);
  memory.fill(9);
  expect([...piece]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

it("a relative URL outside a page is no URL, and the error says what to use", async () => {
  await expect(openSafetensors("adapters/a.safetensors")).rejects.toMatchObject({
    name: "IoError",
    kind: "url",
    hint: expect.stringContaining("/node") as string,
  });
});
