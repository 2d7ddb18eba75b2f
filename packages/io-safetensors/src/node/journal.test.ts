import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashFile, Journal, JOURNAL } from "./index.js";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weft-journal-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
/** Writes a file and notes it, as a job does. */
function finish(journal: Journal, file: string, text: string): void {
  writeFileSync(join(folder, file), text);
  journal.add({ file, size: text.length, sha256: sha256(text) });
}

describe("a journal", () => {
  it("knows the finished files when the same job comes again", async () => {
    finish(new Journal(folder, "job"), "a", "content");
    const again = new Journal(folder, "job");
    expect(await again.isFinished("a")).toBe(true);
    expect(await again.isFinished("b")).toBe(false);
    again.remove();
    expect(existsSync(join(folder, JOURNAL))).toBe(false);
    expect(await new Journal(folder, "other job").isFinished("a")).toBe(false);
  });

  it("tells a job that goes on from one that begins", () => {
    expect(new Journal(folder, "job").resumed).toBe(false);
    expect(new Journal(folder, "job").resumed).toBe(true);
  });

  it("compares files by the hash that the job has for them", async () => {
    finish(new Journal(folder, "job"), "a", "content");
    const hash = async (text: string): Promise<string> => sha256(text);
    expect(await new Journal(folder, "job").isFinished("a", () => hash("content"))).toBe(true);
    expect(await new Journal(folder, "job").isFinished("a", () => hash("other"))).toBe(false);
  });

  it.each([
    ["is gone", () => rmSync(join(folder, "a"))],
    ["is shorter", () => truncateSync(join(folder, "a"), 3)],
    ["holds other bytes", () => writeFileSync(join(folder, "a"), "CONTENT")],
  ])("does not trust a file that %s", async (_, spoil) => {
    finish(new Journal(folder, "job"), "a", "content");
    spoil();
    expect(await new Journal(folder, "job").isFinished("a")).toBe(false);
  });

  it("refuses another job", () => {
    finish(new Journal(folder, "job"), "a", "content");
    expect(() => new Journal(folder, "other job")).toThrow(expect.objectContaining({ name: "ConfigError", kind: "other-job" }));
  });

  it("survives a crash at any byte of what it writes", async () => {
    const journal = new Journal(folder, "job");
    finish(journal, "a", "content");
    finish(journal, "b", "more");
    const whole = readFileSync(join(folder, JOURNAL));
    for (let cut = 0; cut <= whole.byteLength; cut++) {
      writeFileSync(join(folder, JOURNAL), whole.subarray(0, cut));
      const again = new Journal(folder, "job");
      const lines = whole.subarray(0, cut).toString().split("\n").length - 1;
      expect([await again.isFinished("a"), await again.isFinished("b")], `cut at ${cut}`).toEqual([lines >= 2, lines >= 3]);
      // What is added afterwards does not run into the line that was cut.
      finish(again, "c", "third");
      expect(await new Journal(folder, "job").isFinished("c"), `cut at ${cut}`).toBe(true);
      rmSync(join(folder, JOURNAL));
    }
  });

  it("skips lines that are none", async () => {
    finish(new Journal(folder, "job"), "a", "content");
    appendFileSync(join(folder, JOURNAL), "rubbish\n");
    expect(await new Journal(folder, "job").isFinished("a")).toBe(true);
  });

  it("says what it cannot write", () => {
    expect(() => new Journal(join(folder, "none"), "job")).toThrow(expect.objectContaining({ kind: "not-found" }));
  });
});

it("hashes a file, or a range of it", async () => {
  const path = join(folder, "a");
  const text = "0123456789".repeat(500_000);
  writeFileSync(path, text);
  expect(await hashFile(path)).toBe(sha256(text));
  expect(await hashFile(path, 3, 4)).toBe(sha256("3456"));
  expect(await hashFile(path, text.length)).toBe(sha256(""));
});
