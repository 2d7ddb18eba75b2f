import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { copyFolder, filesOf, hashOf, makeLlama, poke } from "@weft/checkpoint/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { spawnWeft, startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `${made++}`);
/** Four files of 3 MB. */
const { base, lora } = makeLlama(join(folder, "model"), { hidden: 512, intermediate: 1024, layers: 2, vocab: 2000, shards: 4 });
const whole = fresh();
const planFile = join(folder, "plan.json");
const json = ({ stdout }: { readonly stdout: string }): { readonly [field: string]: unknown } =>
  JSON.parse(stdout.trim().split("\n").at(-1)!) as never;
const share = (out: string, index: number, of: number) =>
  weftBuilt("run", planFile, "--index", `${index}`, "--of", `${of}`, "-o", out, "--json");
const finish = (out: string, ...more: string[]) => weftBuilt("run", planFile, "--finish", "-o", out, "--json", ...more);

beforeAll(async () => {
  expect(spawnWeft(["merge", base, "-a", `${lora}:0.5`, "-o", whole]).code).toBe(0);
  const planned = await weftBuilt("plan", base, "-a", `${lora}:0.5`, "-o", planFile, "--json");
  expect(json(planned)).toMatchObject({ units: 4 });
});

describe("a merge in shares", () => {
  it("of two processes, one killed half-way and run again, is the merge byte for byte", { timeout: 120_000 }, async () => {
    const out = fresh();
    const call = (index: number): string[] => ["run", planFile, "--index", `${index}`, "--of", "2", "-o", out, "--jobs", "1"];
    const [first, second] = [0, 1].map((index) => startWeft(call(index), { stdio: "ignore" }));
    const [killed, other] = [first!, second!].map(
      (child) => new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code))),
    );
    const units = join(out, ".weft-units");
    // Into the middle of a file: it has its size from the beginning, and no name yet.
    while (!(existsSync(units) && readdirSync(units).some((name) => name.includes(`.${first!.pid}.`)))) await sleep(1);
    first!.kill("SIGKILL");
    expect(await killed).toBe("SIGKILL");
    expect(await other).toBe(0);
    expect(readdirSync(out)).toEqual([".weft-units"]);
    expect(json(await finish(out))).toMatchObject({
      error: { kind: "unfinished", message: expect.stringContaining("units are not done: ") as string },
    });
    const again = spawnWeft([...call(0), "--json"]);
    expect(again.code, again.stderr).toBe(0);
    const report = join(folder, "report.json");
    expect((await finish(out, "--report", report)).code).toBe(0);
    expect(filesOf(out)).toEqual(filesOf(whole));
    const { shards, tensors } = JSON.parse(readFileSync(report, "utf8")) as { shards: { digest: string }[]; tensors: { sha256: string }[] };
    expect([
      shards.every(({ digest }) => /^[0-9a-f]{64}$/.test(digest)),
      tensors.every(({ sha256 }) => /^[0-9a-f]{64}$/.test(sha256)),
    ]).toEqual([true, true]);
  });

  it("leaves what is done, and redoes what was damaged", async () => {
    const out = fresh();
    await share(out, 0, 1);
    const damaged = join(out, ".weft-units/model-00002-of-00004.safetensors");
    const before = hashOf(damaged);
    appendFileSync(damaged, "x");
    expect(json(await share(out, 0, 1))).toMatchObject({ units: [0, 1, 2, 3], resumed: 3 });
    expect(hashOf(damaged)).toBe(before);
    await finish(out);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });

  it("holds where its folder is mounted elsewhere", async () => {
    const [moved, out] = [fresh(), fresh()];
    cpSync(join(folder, "model"), join(moved, "model"), { recursive: true });
    cpSync(planFile, join(moved, "plan.json"));
    const run = (...argv: string[]) => weftBuilt("run", join(moved, "plan.json"), "-o", out, ...argv);
    for (const index of [2, 0, 1]) expect((await run("--index", `${index}`, "--of", "3")).code).toBe(0);
    expect((await run("--finish")).code).toBe(0);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });
});

describe("refuses", () => {
  it("inputs that are not those of the plan, of the same size and date or not", async () => {
    const other = fresh();
    copyFolder(join(folder, "model"), join(other, "model"));
    cpSync(planFile, join(other, "plan.json"));
    poke(
      join(other, "model/lora/adapter_model.safetensors"),
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
      Uint8Array.of(1),
    );
    const out = fresh();
    const ran = await weftBuilt("run", join(other, "plan.json"), "--index", "0", "--of", "1", "-o", out, "--json");
    expect(ran.code).toBe(2);
    expect(json(ran)).toMatchObject({ error: { kind: "input-changed", file: join(other, "model/lora/adapter_model.safetensors") } });
    expect(existsSync(join(out, ".weft-units/unit-0.json"))).toBe(false);
  });

  it("a folder with another checkpoint, units of another plan, and files that are no plan", async () => {
    const [out, wrong] = [fresh(), join(folder, "wrong.json")];
    await share(out, 0, 2);
    writeFileSync(join(out, ".weft-units/plan"), "another");
    expect(json(await share(out, 1, 2))).toMatchObject({ error: { kind: "other-job" } });
    expect(json(await share(whole, 0, 2))).toMatchObject({ error: { kind: "exists" } });
    expect(json(await share(base, 0, 2))).toMatchObject({ error: { kind: "output-is-input" } });
    for (const text of ["{", "[]", '{"weft":"plan","version":2}', '{"weft":"plan","version":1,"input":{"base":1}}']) {
      writeFileSync(wrong, text);
      expect(json(await weftBuilt("run", wrong, "--finish", "-o", fresh(), "--json"))).toMatchObject({
        error: { kind: "bad-plan", file: wrong },
      });
    }
    rmSync(wrong);
  });

  it("shares that there are not", async () => {
    for (const argv of [[], ["--index", "2", "--of", "2"], ["--index", "0"], ["--finish", "--index", "0"]])
      expect(json(await weftBuilt("run", planFile, "-o", fresh(), "--json", ...argv))).toMatchObject({ error: { kind: "usage" } });
  });
});
