import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WRITTEN } from "../testing/fixtures.js";
import { openFileBytes, openWeights } from "./index.js";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weft-open-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const INDEX = "model.safetensors.index.json";
const PART = "model-00002-of-00003.safetensors";
const put = (name: string): void => copyFileSync(join(WRITTEN, "no_metadata.safetensors"), join(folder, name));

describe("a folder", () => {
  it("is opened by the name that transformers looks for first", async () => {
    cpSync(join(WRITTEN, "hub"), folder, { recursive: true });
    expect((await openWeights(folder)).location).toBe(join(folder, INDEX));
    put("model.safetensors");
    expect((await openWeights(folder)).location).toBe(join(folder, "model.safetensors"));
  });

  it.each(["adapter_model.safetensors", "diffusion_pytorch_model.safetensors", "any name.safetensors"])("is opened by %s", async (name) => {
    put(name);
    put(".hidden.safetensors");
    expect([...(await openWeights(folder)).names()]).toEqual(["x"]);
  });

  it("with several files and no index is not opened by one of them", async () => {
    put("a.safetensors");
    put("b.safetensors");
    await expect(openWeights(folder)).rejects.toMatchObject({ kind: "missing-index" });
  });

  it("with nothing, or only a pickle, is refused", async () => {
    await expect(openWeights(folder)).rejects.toMatchObject({ kind: "not-found", file: folder });
    writeFileSync(join(folder, "pytorch_model.bin"), "PK\u0003\u0004 and so on, as torch writes its archives");
    await expect(openWeights(folder)).rejects.toMatchObject({ kind: "unsupported-pickle" });
  });
});

describe("an index", () => {
  beforeEach(() => cpSync(join(WRITTEN, "hub"), folder, { recursive: true }));

  it("needs all of its shards", async () => {
    rmSync(join(folder, PART));
    await expect(openWeights(folder)).rejects.toMatchObject({ kind: "missing-shard", file: join(folder, PART) });
  });

  it("follows a link inside its folder, and none that leads out", async () => {
    mkdirSync(join(folder, "inside"));
    rmSync(join(folder, PART));
    copyFileSync(join(WRITTEN, "hub", PART), join(folder, "inside/shard"));
    symlinkSync("inside/shard", join(folder, PART));
    await (await openWeights(folder)).close();
    rmSync(join(folder, PART));
    symlinkSync(join(WRITTEN, "hub", PART), join(folder, PART));
    await expect(openWeights(folder)).rejects.toMatchObject({ kind: "unsafe-path", file: join(folder, PART) });
  });
});

describe("what is no file", () => {
  it.each([
    ["nothing", "not-found", () => {}],
    ["a folder in the place of a file", "not-a-file", () => mkdirSync(join(folder, "x.safetensors"))],
    // Opened as a file, it would wait for somebody to write into it.
    ["a named pipe", "not-a-file", () => spawnSync("mkfifo", [join(folder, "x.safetensors")])],
    ["a device", "not-a-file", () => symlinkSync("/dev/zero", join(folder, "x.safetensors"))],
  ])("%s is refused as %s", (_, kind, make) => {
    make();
    expect(() => openFileBytes(join(folder, "x.safetensors"))).toThrow(expect.objectContaining({ name: "FormatError", kind }));
  });

  it.skipIf(process.getuid?.() === 0)("a file that may not be read is refused", () => {
    put("x.safetensors");
    chmodSync(join(folder, "x.safetensors"), 0);
    expect(() => openFileBytes(join(folder, "x.safetensors"))).toThrow(expect.objectContaining({ kind: "no-permission" }));
  });
});

it("a file that is cut while it is open is told so", async () => {
  put("x.safetensors");
  const source = await openWeights(join(folder, "x.safetensors"));
  writeFileSync(join(folder, "x.safetensors"), "short");
  await expect(source.read("x")).rejects.toMatchObject({ kind: "data-truncated" });
  await source.close();
  await source.close();
});

it("a file that was closed is opened for what is read of it later, unless it is another one by then", async () => {
  put("x.safetensors");
  const source = await openWeights(join(folder, "x.safetensors"));
  const before = await source.read("x");
  await source.close();
  expect((await source.read("x")).data).toEqual(before.data);
  await source.close();
  writeFileSync(join(folder, "x.safetensors"), "another");
  await expect(source.read("x")).rejects.toMatchObject({
    name: "IoError",
    message: expect.stringContaining("has changed since it was opened"),
  });
  rmSync(join(folder, "x.safetensors"));
  await expect(source.read("x")).rejects.toMatchObject({ kind: "not-found" });
});
