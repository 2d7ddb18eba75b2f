import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runExample } from "../../../../scripts/run-example.mjs";
import { given, WRITTEN } from "../testing/fixtures.js";
import { JOURNAL, openWeights, type TensorData, writeSafetensors, writeSafetensorsFile } from "./index.js";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weft-write-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const INDEX = "model.safetensors.index.json";
const tensor = (name: string, value: number, size = 8): TensorData => ({
  name,
  dtype: "U8",
  shape: [size],
  data: new Uint8Array(size).fill(value),
});
const part = (i: number, n: number): string => `model-0000${i}-of-0000${n}.safetensors`;
async function contents(): Promise<Record<string, number>> {
  const source = await openWeights(folder);
  const found: Record<string, number> = {};
  for (const name of source.names()) found[name] = (await source.read(name)).data[0]!;
  await source.close();
  return found;
}

describe("writeSafetensorsFile", () => {
  it("writes the bytes of Python's safetensors, from data that comes in pieces", async () => {
    const { metadata, tensors } = given("all_dtypes");
    async function* pieces(data: Uint8Array): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < data.byteLength; i += 3) yield data.subarray(i, i + 3);
    }
    const path = join(folder, "a.safetensors");
    await writeSafetensorsFile(
      path,
      tensors.map((t) => ({ ...t, data: pieces(t.data as Uint8Array) })),
      { metadata },
    );
    expect(readFileSync(path).equals(readFileSync(join(WRITTEN, "all_dtypes.safetensors")))).toBe(true);
  });

  it.each([
    ["too little", new Uint8Array(7)],
    ["too much", new Uint8Array(9)],
    ["too much, in pieces", [new Uint8Array(8), new Uint8Array(1)]],
    ["none", []],
  ])("refuses %s data and leaves nothing behind", async (_, data) => {
    const path = join(folder, "a.safetensors");
    await expect(writeSafetensorsFile(path, [tensor("a", 1), { ...tensor("b", 2), data }])).rejects.toMatchObject({
      kind: "size-mismatch",
      tensor: "b",
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("leaves nothing behind when its data fails, or when it is cancelled", async () => {
    const path = join(folder, "a.safetensors");
    const abort = new AbortController();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(4);
      throw new Error("the source is gone");
    }
    async function* cancelled(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(4);
      abort.abort();
      yield new Uint8Array(4);
    }
    await expect(writeSafetensorsFile(path, [{ ...tensor("a", 1), data: failing() }])).rejects.toThrow("the source is gone");
    await expect(writeSafetensorsFile(path, [{ ...tensor("a", 1), data: cancelled() }], { signal: abort.signal })).rejects.toMatchObject({
      name: "CancelledError",
    });
    await expect(writeSafetensorsFile(path, [], { signal: abort.signal })).rejects.toMatchObject({ name: "CancelledError" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("writeSafetensors", () => {
  it("refuses a name that is given twice, in whatever shards", async () => {
    const twice = [tensor("a", 1), tensor("b", 2), tensor("a", 3)];
    await expect(writeSafetensors(folder, twice, { maxShardSize: 8 })).rejects.toMatchObject({ kind: "duplicate-key", tensor: "a" });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("replaces a checkpoint with more, fewer and single files; nothing of the old one is left", async () => {
    const names = [..."abcd"];
    for (const [round, count] of [3, 2, 1, 4, 1].entries()) {
      await writeSafetensors(
        folder,
        names.slice(0, count).map((name) => tensor(name, round)),
        { maxShardSize: 8 },
      );
      expect(await contents()).toEqual(Object.fromEntries(names.slice(0, count).map((name) => [name, round])));
      expect(readdirSync(folder)).toHaveLength(count === 1 ? 1 : count + 1);
    }
  });

  it("never leaves a mixture of two checkpoints that opens", async () => {
    await writeSafetensors(folder, [tensor("a", 1), tensor("b", 1)], { maxShardSize: 8 });
    await expect(writeSafetensors(folder, [tensor("a", 2), { ...tensor("b", 2), data: [] }], { maxShardSize: 8 })).rejects.toMatchObject({
      kind: "size-mismatch",
    });
    await expect(openWeights(folder)).rejects.toMatchObject({ kind: "missing-index" });
  });

  it("cannot write where a file is", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(writeSafetensors(join(folder, "file"), [tensor("a", 1)])).rejects.toMatchObject({ name: "IoError", kind: "io" });
    mkdirSync(join(folder, "model.safetensors/x"), { recursive: true });
    await expect(writeSafetensors(folder, [tensor("a", 1)])).rejects.toMatchObject({ name: "IoError", kind: "io" });
    expect(readdirSync(folder).toSorted()).toEqual(["file", "model.safetensors"]);
  });
});

/** A job of four shards, in a process of its own, which ends at once when the data of `stopAt` is asked for. */
const JOB = `
import { writeSafetensors } from "@weft/io-safetensors/node";
const [, , folder, stopAt] = process.argv;
async function* data(name) {
  if (name === stopAt) process.kill(process.pid, "SIGKILL");
  console.log(name);
  yield new Uint8Array(4).fill(name.charCodeAt(0));
  yield new Uint8Array(4).fill(name.charCodeAt(0));
}
const tensors = [..."abcd"].map((name) => ({ name, dtype: "U8", shape: [8], data: data(name) }));
await writeSafetensors(folder, tensors, { maxShardSize: 8, job: "job" });
`;

describe("a job that is killed", () => {
  it.each(["a", "b", "d"])("at tensor %s goes on where it was stopped", async (stopAt) => {
    const killed = await runExample(JOB, [folder, stopAt]);
    expect(killed.signal).toBe("SIGKILL");
    const left = readdirSync(folder);
    const complete = "abcd".indexOf(stopAt);
    expect(left.filter((name) => name.endsWith(".safetensors"))).toHaveLength(complete);
    expect(left.filter((name) => name.endsWith(".tmp"))).toHaveLength(1);
    expect(left).toContain(JOURNAL);
    await expect(openWeights(folder)).rejects.toMatchObject({ name: "FormatError" });

    const before = Array.from({ length: complete }, (_, i) => statSync(join(folder, part(i + 1, 4))).ino);
    const again = await runExample(JOB, [folder]);
    expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: "" });
    expect(again.stdout.trim().split("\n")).toEqual([..."abcd"].slice(complete));
    expect(before).toEqual(Array.from({ length: complete }, (_, i) => statSync(join(folder, part(i + 1, 4))).ino));
    expect(readdirSync(folder).toSorted()).toEqual([1, 2, 3, 4].map((i) => part(i, 4)).concat(INDEX));
    expect(await contents()).toEqual({ a: 97, b: 98, c: 99, d: 100 });
  });

  it("is not continued by another", async () => {
    await runExample(JOB, [folder, "c"]);
    await expect(writeSafetensors(folder, [tensor("a", 1)], { job: "other" })).rejects.toMatchObject({ kind: "other-job" });
    expect(existsSync(join(folder, part(1, 4)))).toBe(true);
  });
});

it("a limit on file sizes ends a job with a reason, and leaves nothing", async () => {
  const code = `
import { spawnSync } from "node:child_process";
if (process.argv[3] === undefined) {
  const { status } = spawnSync("bash", ["-c", 'ulimit -f 4; exec "$0" "$@"', process.execPath, process.argv[1], process.argv[2], "limited"], { stdio: "inherit" });
  process.exit(status ?? 99);
}
import { writeSafetensors } from "@weft/io-safetensors/node";
try {
  await writeSafetensors(process.argv[2], [{ name: "a", dtype: "U8", shape: [1 << 20], data: new Uint8Array(1 << 20) }]);
} catch (error) {
  console.log(error.name, error.kind);
}
`;
  const { stdout, stderr } = await runExample(code, [folder]);
  expect({ stdout, stderr }).toEqual({ stdout: "IoError disk-full\n", stderr: "" });
  expect(readdirSync(folder)).toEqual([]);
});
