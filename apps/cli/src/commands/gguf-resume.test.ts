import { existsSync, openSync, closeSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openGgufPath } from "@weft/io-gguf/node";
import { beforeAll, describe, expect, it } from "vitest";
import { editJson, hashOf, makeLlama } from "@weft/checkpoint/testing";
import { startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let base: string;
let whole: string;

/** Writes a Llama with a tokenizer, and a LoRA on it. */
function makeBase(
  at: string,
  sizes: { readonly layers: number; readonly hidden: number; readonly intermediate: number },
): ReturnType<typeof makeLlama> {
  const made = makeLlama(at, { ...sizes, vocab: 40 });
  editJson(join(made.base, "config.json"), { max_position_embeddings: 128 });
  const vocab = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, i]));
  const pieces = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
  writeFileSync(join(made.base, "tokenizer.json"), JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: pieces }));
  return made;
}

beforeAll(async () => {
  ({ base } = makeBase(folder, { layers: 16, hidden: 384, intermediate: 768 }));
  whole = join(folder, "whole.gguf");
  expect((await weftBuilt("quantize", base, "--to", "q5_0", "-o", whole)).code).toBe(0);
});

const besides = (out: string): string => join(out, `../.${out.slice(folder.length + 1)}.weft-job`);
/** Tensors that the journal has, behind the line of the job. */
const noted = (out: string): string[] => {
  const journal = join(besides(out), ".weft-journal");
  return existsSync(journal) ? readFileSync(journal, "utf8").split("\n").slice(1, -1) : [];
};

/** Starts a job, and ends it by a signal when some tensors are done. @returns the exit code */
async function stopped(out: string, signal: NodeJS.Signals, job = ["quantize", base, "--to", "q5_0"]): Promise<number | null> {
  const running = startWeft([...job, "-o", out, "--jobs", "1"], { stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => running.on("exit", resolve));
  while (noted(out).length < 3) await new Promise((resolve) => setTimeout(resolve, 2));
  running.kill(signal);
  return ended;
}

describe("a GGUF file that was not finished", () => {
  it.each([
    ["SIGKILL", null],
    ["SIGINT", 130],
  ] as const)("goes on after %s, to the same bytes with another number of threads, and leaves nothing beside it", async (signal, code) => {
    const out = join(folder, `${signal}.gguf`);
    expect(await stopped(out, signal)).toBe(code);
    const done = noted(out).length;
    expect([existsSync(out), done < 146]).toEqual([false, true]);
    const again = await weftBuilt("quantize", base, "--to", "q5_0", "-o", out, "--jobs", "2", "--json");
    expect(again.code, again.stderr).toBe(0);
    expect((JSON.parse(again.stdout.trim().split("\n").at(-1)!) as { resumed: number }).resumed).toBe(done);
    expect(hashOf(out)).toBe(hashOf(whole));
    expect(existsSync(besides(out))).toBe(false);
  });

  it("goes on where an adapter is merged into another, too", async () => {
    const small = makeBase(join(folder, "small"), { layers: 12, hidden: 192, intermediate: 384 });
    const [plain, out, merged] = ["plain.gguf", "merge.gguf", "merged.gguf"].map((name) => join(folder, name)) as [string, string, string];
    expect((await weftBuilt("quantize", small.base, "--to", "q5_0", "-o", plain, "--jobs", "1")).code).toBe(0);
    const merge = ["merge", plain, "-a", `${small.lora}:16`];
    expect((await weftBuilt(...merge, "-o", merged, "--jobs", "1")).code).toBe(0);
    await stopped(out, "SIGKILL", merge);
    const done = noted(out).length;
    expect([existsSync(out), done < 110]).toEqual([false, true]);
    const again = await weftBuilt(...merge, "-o", out, "--jobs", "1", "--json");
    expect(again.code, again.stderr).toBe(0);
    expect((JSON.parse(again.stdout.trim().split("\n").at(-1)!) as { resumed: number }).resumed).toBe(done);
    expect(hashOf(out)).toBe(hashOf(merged));
    expect(existsSync(besides(out))).toBe(false);
  });

  it("is looked at again: what is no longer as it was is done anew", async () => {
    const out = join(folder, "changed.gguf");
    await stopped(out, "SIGKILL");
    const done = noted(out);
    const model = await openGgufPath(whole);
    const { offset } = model.tensors.get(done[0]!.split(" ").at(-1)!)!;
    await model.close();
    const [partial] = readdirSync(besides(out)).filter((name) => name.endsWith(".tmp"));
    const file = openSync(join(besides(out), partial!), "r+");
    writeSync(file, Buffer.alloc(64, 7), 0, 64, offset + 64);
    closeSync(file);
    const again = await weftBuilt("quantize", base, "--to", "q5_0", "-o", out, "--json");
    expect((JSON.parse(again.stdout.trim().split("\n").at(-1)!) as { resumed: number }).resumed).toBe(done.length - 1);
    expect(hashOf(out)).toBe(hashOf(whole));
  });

  it("is another job's with other options, and begun anew with --force", async () => {
    const out = join(folder, "other.gguf");
    await stopped(out, "SIGKILL");
    const other = await weftBuilt("quantize", base, "--to", "q8_0", "-o", out);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/unfinished job with other inputs or options.*--force/s)]);
    const [anew, fresh] = [await weftBuilt("quantize", base, "--to", "q8_0", "-o", out, "--force"), join(folder, "fresh.gguf")];
    expect((await weftBuilt("quantize", base, "--to", "q8_0", "-o", fresh)).code).toBe(0);
    expect([anew.code, hashOf(out)]).toEqual([0, hashOf(fresh)]);
    expect(existsSync(besides(out))).toBe(false);
  });
});
