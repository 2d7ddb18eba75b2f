import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AtomicFile, removeStale, writeAll, writeFileAtomic } from "./index.js";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weft-atomic-"))));
afterEach(() => rmSync(folder, { recursive: true }));
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("an atomic file", () => {
  it("has its name only when it is committed", async () => {
    const path = join(folder, "a.bin");
    const file = new AtomicFile(path, 4);
    expect(readFileSync(file.temporary)).toHaveLength(4);
    file.writeAt(bytes(3, 4), 2);
    file.writeAt(bytes(1, 2), 0);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.a\.bin\.\d+\.[0-9a-f]{12}\.tmp$/)]);
    await file.commit();
    expect([...readFileSync(path)]).toEqual([1, 2, 3, 4]);
    expect(readdirSync(folder)).toEqual(["a.bin"]);
  });

  it("leaves what was there until then, and after an abort", async () => {
    const path = join(folder, "a.bin");
    await writeFileAtomic(path, "old");
    const file = new AtomicFile(path);
    file.writeAt(bytes(1), 0);
    expect(readFileSync(path, "utf8")).toBe("old");
    file.abort();
    file.abort();
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["a.bin"]);
  });

  it("replaces what was there", async () => {
    await writeFileAtomic(join(folder, "a"), "a longer text");
    await writeFileAtomic(join(folder, "a"), "new");
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("new");
  });

  it("cannot be in a folder that is not there", () => {
    expect(() => new AtomicFile(join(folder, "none/a"))).toThrow(
      expect.objectContaining({ kind: "not-found", file: join(folder, "none/a") }),
    );
  });

  it("cannot take the name of a folder, and leaves nothing", async () => {
    mkdirSync(join(folder, "taken/inside"), { recursive: true });
    await expect(writeFileAtomic(join(folder, "taken"), "x")).rejects.toMatchObject({ name: "IoError", kind: "io" });
    expect(readdirSync(folder)).toEqual(["taken"]);
  });
});

describe("a disk that is full", () => {
  it.runIf(existsSync("/dev/full"))("is told by its name", async () => {
    const { openSync, closeSync } = await import("node:fs");
    const fd = openSync("/dev/full", "w");
    try {
      expect(() => writeAll(fd, bytes(1), 0, "out.bin")).toThrow(
        expect.objectContaining({ name: "IoError", kind: "disk-full", file: "out.bin" }),
      );
    } finally {
      closeSync(fd);
    }
  });
});

describe("temporary files", () => {
  const temporary = (pid: number, name = "a"): string => `.${name}.${pid}.0123456789ab.tmp`;
  const make = (name: string): void => writeFileSync(join(folder, name), "x");

  it("of dead processes are removed; others' files and living processes' stay", () => {
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const kept = [temporary(process.ppid), "a.tmp", `a.${dead}.0123456789ab.tmp`, `.a.${dead}.xyz.tmp`, `.a.${dead}.0123456789ab.tmp2`];
    for (const name of [...kept, temporary(dead), temporary(dead, "b.c")]) make(name);
    expect(removeStale(folder).toSorted()).toEqual([temporary(dead), temporary(dead, "b.c")].toSorted());
    expect(readdirSync(folder).toSorted()).toEqual(kept.toSorted());
  });

  it("of this process stay, but not those of an earlier one that had its number", () => {
    const file = new AtomicFile(join(folder, "mine"));
    make(temporary(process.pid, "old"));
    const before = Date.now() / 1000 - process.uptime() - 60;
    utimesSync(join(folder, temporary(process.pid, "old")), before, before);
    expect(removeStale(folder)).toEqual([temporary(process.pid, "old")]);
    expect(existsSync(file.temporary)).toBe(true);
    file.abort();
    expect(readdirSync(folder)).toEqual([]);
  });
});
