import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, copyFolder, editJson, filesOf, makeLlama, poke } from "@weft/checkpoint/testing";
import { FIXTURES, PROGRAM, type Ran, spawnWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let base: string;
let lora: string;
let made = 0;
const fresh = (name: string): string => join(folder, `${name}-${made++}`);

beforeAll(() => {
  ({ base, lora } = makeLlama(join(folder, "small")));
});

/** One line that names what is wrong and a hint; the same as JSON; and nothing left behind. */
async function expectFailure(
  args: (out: string) => readonly string[],
  expected: { readonly code: number; readonly kind: string; readonly names: readonly string[]; readonly shell?: string },
): Promise<void> {
  const fail = async (...extra: readonly string[]): Promise<Ran> => {
    const out = fresh("out");
    const argv = [...args(out), ...extra];
    const ran = expected.shell === undefined ? await weftBuilt(...argv) : spawnWeft(argv, { shell: expected.shell });
    expect(existsSync(out) ? readdirSync(out) : [], "left behind").toEqual([]);
    expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(expected.code);
    return ran;
  };
  const [human, json] = [await fail(), await fail("--json", "--quiet")];
  const errors = human.stderr.split("\n").filter((line) => line.startsWith("error: "));
  expect(errors, human.stderr).toHaveLength(1);
  for (const name of expected.names) expect(errors[0]).toContain(name);
  expect(human.stderr).not.toContain("    at ");
  const lines = json.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ error: { kind: expected.kind } });
}

const merge =
  (from: string, adapter: string) =>
  (out: string): string[] => ["merge", from, "-a", adapter, "-o", out];
const broken = (source: string, change: (copy: string) => void): string => {
  const copy = copyFolder(source, fresh("broken"));
  change(copy);
  return copy;
};
const SHARD = "model-00002-of-00003.safetensors";

describe("weft merge fails in words, and cleanly", () => {
  it("on a shard that was cut", async () => {
    const from = broken(base, (copy) => truncateSync(join(copy, SHARD), 40_000));
    await expectFailure(merge(from, lora), { code: 2, kind: "data-truncated", names: [SHARD, "the file has"] });
  });

  it("on a shard that is not there", async () => {
    const from = broken(base, (copy) => rmSync(join(copy, SHARD)));
    await expectFailure(merge(from, lora), { code: 2, kind: "missing-shard", names: [SHARD] });
  });

  it("on an adapter of another width", async () => {
    const other = makeLlama(fresh("wide"), { hidden: 96, heads: 6 });
    await expectFailure(merge(base, other.lora), {
      code: 2,
      kind: "shape-mismatch",
      names: ["q_proj", "lora_A is [4,96]", "needs [4,64]"],
    });
  });

  it("on an adapter of another model: nothing matches, exit code 4, the nearest names", async () => {
    await expectFailure(merge(base, join(FIXTURES, "peft/lora_linear")), { code: 4, kind: "no-match", names: ["0 of"] });
  });

  it("on an adapter of which a part matches nothing", async () => {
    const deeper = makeLlama(fresh("deep"), { layers: 3 });
    await expectFailure(merge(base, deeper.lora), { code: 2, kind: "missing-modules", names: ["model.layers.2."] });
  });

  it("on NaN in an adapter, naming tensor and place, unless it is allowed", async () => {
    const tensor = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight";
    const adapter = broken(lora, (copy) =>
      poke(join(copy, "adapter_model.safetensors"), tensor, new Uint8Array(new Float32Array([NaN]).buffer), 8),
    );
    await expectFailure(merge(base, adapter), {
      code: 2,
      kind: "non-finite",
      names: ["model.layers.1.mlp.up_proj.weight", "index 0", "adapter_model.safetensors"],
    });
    const out = fresh("nan");
    expect((await weftBuilt(...merge(base, adapter)(out), "--allow-nonfinite")).code).toBe(0);
    expect((await weftBuilt("inspect", adapter, "--stats", "--json")).stdout).toContain('"nonFinite":1');
  });

  it("on an index that is missing, a pickle, and a checkpoint that is not there", async () => {
    await expectFailure(
      merge(
        broken(base, (copy) => rmSync(join(copy, "model.safetensors.index.json"))),
        lora,
      ),
      { code: 2, kind: "missing-index", names: ["model.safetensors.index.json"] },
    );
    await expectFailure(merge(join(FIXTURES, "malformed/pickle/zip"), lora), {
      code: 2,
      kind: "unsupported-pickle",
      names: ["pytorch_model.bin"],
    });
    await expectFailure(merge(join(folder, "nowhere"), lora), { code: 2, kind: "not-found", names: ["nowhere"] });
    await expectFailure(merge(base, join(folder, "nowhere")), { code: 2, kind: "not-found", names: ["nowhere"] });
  });

  it("on a method that cannot be merged, and on initialisations that changed the base", async () => {
    await expectFailure(merge(join(FIXTURES, "peft/llama_base"), join(FIXTURES, "peft/llama_prefix_tuning")), {
      code: 2,
      kind: "not-mergeable",
      names: ["PREFIX_TUNING"],
    });
    for (const [name, why] of [
      ["adaption_llama", "ADAPTION_PROMPT cannot be merged: it adds to an attention's result"],
      ["lily_llama", "LILY cannot be merged: its mix of B depends on the input"],
      ["xlora_deep", "XLORA cannot be merged: what its experts do depends on the token"],
    ] as const)
      await expectFailure(merge(join(FIXTURES, "modelwide/llama_base"), join(FIXTURES, "modelwide", name)), {
        code: 2,
        kind: "not-mergeable",
        names: [why],
      });
    for (const init of ["corda", "pissa_niter_4"]) {
      const changed = broken(lora, (copy) => editJson(join(copy, "adapter_config.json"), { init_lora_weights: init }));
      await expectFailure(merge(base, changed), { code: 2, kind: "base-changed-by-init", names: [init] });
    }
  });

  it("on an initialisation whose decompositions would take too long, saying how much", async () => {
    const large = makeLlama(fresh("large"), { hidden: 1024, intermediate: 1024, heads: 16, layers: 1, rank: 64 });
    const pissa = broken(large.lora, (copy) => editJson(join(copy, "adapter_config.json"), { init_lora_weights: "pissa" }));
    await expectFailure(merge(large.base, pissa), { code: 2, kind: "base-changed-by-init", names: ["pissa", "decomposing 7 weights"] });
  });

  it("on two adapters whose initialisations changed the same weight", async () => {
    const pissa = broken(lora, (copy) => editJson(join(copy, "adapter_config.json"), { init_lora_weights: "pissa" }));
    await expectFailure((out) => ["merge", base, "-a", pissa, "-a", `${pissa}:0.5`, "-o", out], {
      code: 2,
      kind: "base-changed-by-init",
      names: ["another adapter's initialisation", "q_proj"],
    });
  });

  it("on a file that would be larger than allowed: exit code 1", async () => {
    await expectFailure(merge(base, lora), { code: 1, kind: "disk-full", names: ["model-0000"], shell: "ulimit -f 20" });
  });

  it("where it must not or cannot write", async (context) => {
    const file = fresh("file");
    writeFileSync(file, "");
    const at = (path: string) => (): string[] => ["merge", base, "-a", lora, "-o", path];
    for (const path of [file, join(file, "below")]) {
      const ran = await weftBuilt(...at(path)());
      expect(ran.code).toBe(2);
      expect(ran.stderr).toContain(path);
    }
    if (process.getuid?.() === 0) return context.skip();
    const closed = fresh("closed");
    mkdirSync(closed, { mode: 0o500 });
    await expectFailure((out) => ["merge", base, "-a", lora, "-o", join(closed, out.slice(folder.length + 1))], {
      code: 2,
      kind: "no-permission",
      names: [closed],
    });
    return undefined;
  });

  it("where the output is an input, under whatever name", async () => {
    const before = filesOf(base);
    const link = fresh("link");
    symlinkSync(base, link);
    for (const out of [base, link, lora]) {
      const ran = await weftBuilt("merge", base, "-a", lora, "-o", out, "--force", "--json");
      expect(ran.code).toBe(2);
      expect(JSON.parse(ran.stdout.trimEnd().split("\n").at(-1)!)).toMatchObject({ error: { kind: "output-is-input" } });
    }
    expect(filesOf(base)).toEqual(before);
  });

  it("on a wrong command line", async () => {
    for (const args of [
      ["merge", base],
      ["merge", base, "-a", lora],
      ["merge", base, "-a", lora, "-o", "x", "--dtype", "f64"],
      ["merge", base, "-a", lora, "-o", "x", "--jobs", "0"],
      ["merge", base, "-a", lora, "-o", "x", "--max-memory", "lots"],
    ]) {
      const ran = await weftBuilt(...args, "--json");
      expect(ran.code, args.join(" ")).toBe(2);
      expect(JSON.parse(ran.stdout)).toMatchObject({ error: { kind: "usage" } });
    }
  });
});

describe("a full disk", () => {
  /** Paths may hold anything, so the lines below get them from here, and quote them. */
  const LINE = 'merge() { "$NODE" "$WEFT" merge "$BASE" -a "$LORA" -o "$DISK/out" "$@"; };';

  /** What a line of bash prints with a file system of `size` bytes at `$DISK`, in a namespace of its own. */
  function onDisk(size: number, script: string, whole = ""): { readonly stdout: string; readonly stderr: string } {
    const disk = fresh("disk");
    mkdirSync(disk);
    const paths = { DISK: disk, NODE: process.execPath, WEFT: PROGRAM, BASE: base, LORA: lora, WHOLE: whole };
    return spawnSync("unshare", ["-rm", "bash", "-c", `${LINE} mount -t tmpfs -o size=${size} tmpfs "$DISK" && ${script}`], {
      encoding: "utf8",
      env: { ...process.env, ...paths, LARGE: "remount,size=8m" },
    });
  }
  const mountable = (): boolean => onDisk(4096, "echo yes").stdout === "yes\n";
  const WHY_NOT = "this machine lets nobody mount a file system in a namespace of their own";
  const total = (): number =>
    readdirSync(base)
      .filter((name) => name.endsWith(".safetensors"))
      .reduce((sum, name) => sum + statSync(join(base, name)).size, 0);

  it("is known before anything is written", (context) => {
    if (!mountable()) return context.skip(WHY_NOT);
    const { stdout, stderr } = onDisk(102_400, 'merge; echo "exit $?"; ls -A "$DISK"');
    expect(stdout).toBe("exit 1\n");
    expect(stderr).toMatch(/^error: .*disk-\d+\/out: the output takes .*, the disk has .* free\n {2}hint: /m);
    return undefined;
  });

  it("in the middle of a write names the file and leaves nothing; with room the same command succeeds", async (context) => {
    if (!mountable()) return context.skip(WHY_NOT);
    const whole = fresh("whole");
    expect((await weftBuilt(...merge(base, lora)(whole))).code).toBe(0);
    // Room for the weights by their size and for the journal, but not for the pages that they take, and the files beside them.
    const { stdout, stderr } = onDisk(
      (Math.ceil(total() / 4096) + 1) * 4096,
      'merge; echo "exit $?"; ls -A "$DISK"; mount -o "$LARGE" "$DISK"; merge --quiet >&2; diff -r "$DISK/out" "$WHOLE" && echo same',
      whole,
    );
    expect(stdout, stderr).toBe("exit 1\nsame\n");
    expect(stderr.split("\n").filter((line) => line.startsWith("error: "))).toEqual([
      expect.stringMatching(/out\/model-0000\d-of-00003\.safetensors/),
    ]);
    expect(stderr).not.toContain("    at ");
  });
});

describe("tied embeddings", () => {
  const LLAMA = join(FIXTURES, "peft/llama_base");
  /** The fixture's model as one file without a head, tied. */
  function tied(): string {
    const from = broken(LLAMA, (copy) => {
      for (const name of readdirSync(copy)) if (name.includes("safetensors")) rmSync(join(copy, name));
      editJson(join(copy, "config.json"), { tie_word_embeddings: true });
    });
    const tensors = [...checkpointOf(LLAMA)].filter(([name]) => name !== "lm_head.weight");
    let at = 0;
    const header = Buffer.from(
      JSON.stringify(
        Object.fromEntries(
          tensors.map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, data_offsets: [at, (at += bytes.length)] }]),
        ),
      ),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(join(from, "model.safetensors"), Buffer.concat([length, header, ...tensors.map(([, { bytes }]) => bytes)]));
    return from;
  }

  it("get weights of their own where an adapter changes one of the two", async () => {
    const from = tied();
    const out = fresh("untied");
    const ran = await weftBuilt("merge", from, "-a", join(FIXTURES, "peft/llama_embed"), "-o", out);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain("tie_word_embeddings");
    const [before, after] = [checkpointOf(from), checkpointOf(out)];
    expect(after.get("lm_head.weight")!.bytes.equals(before.get("model.embed_tokens.weight")!.bytes)).toBe(true);
    expect(after.get("model.embed_tokens.weight")!.bytes.equals(before.get("model.embed_tokens.weight")!.bytes)).toBe(false);
    expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8"))).toMatchObject({ tie_word_embeddings: false });
  });

  it("are changed together with --no-untie", async () => {
    const from = tied();
    const out = fresh("together");
    expect((await weftBuilt("merge", from, "-a", join(FIXTURES, "peft/llama_embed"), "-o", out, "--no-untie")).code).toBe(0);
    expect(checkpointOf(out).has("lm_head.weight")).toBe(false);
    expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8"))).toMatchObject({ tie_word_embeddings: true });
  });
});
