import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, f32, filesOf, makeLlama, type StoredTensor, writeTensors } from "@weft/checkpoint/testing";
import { spawnWeft, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();

/** A number near 0 that is different for every i. */
const near = (i: number): number => Math.sin(i * 12.9898) * 0.05;
const floats = ({ bytes }: StoredTensor): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

/** A checkpoint of one module and an adapter on it. */
async function written(
  name: string,
  weight: StoredTensor,
  config: object,
  parameters: { readonly [suffix: string]: StoredTensor },
): Promise<{ readonly base: string; readonly adapter: string }> {
  const [base, adapter] = [join(folder, name, "base"), join(folder, name, "adapter")];
  await writeTensors(join(base, "model.safetensors"), new Map([["emb.weight", weight]]));
  const entries = Object.entries(parameters).map(([suffix, tensor]) => [`base_model.model.emb.${suffix}`, tensor] as const);
  await writeTensors(join(adapter, "adapter_model.safetensors"), new Map(entries));
  mkdirSync(adapter, { recursive: true });
  writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify({ target_modules: ["emb"], ...config }));
  return { base, adapter };
}

describe("a tensor that is larger than the memory", () => {
  // 160 MB in f32.
  const [vocabulary, width, r] = [80_000, 500, 4];

  it("gets DoRA on an embedding, whose norms run over the vocabulary, in two passes", async () => {
    const [weight, a, b, magnitude] = [
      f32([vocabulary, width], near),
      f32([r, vocabulary], (i) => near(i + 7)),
      f32([width, r], (i) => 10 * near(3 * i)),
      f32([width], (i) => 10 + near(i)),
    ];
    const config = { peft_type: "LORA", r, lora_alpha: 2 * r, use_dora: true };
    const parameters = { lora_embedding_A: a, lora_embedding_B: b, lora_magnitude_vector: magnitude };
    const { base, adapter } = await written("dora", weight, config, parameters);
    const args = ["merge", base, "-a", adapter, "-o"];
    const [out, other] = [join(folder, "dora/out"), join(folder, "dora/other")];
    const ran = spawnWeft([...args, out]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.maxRss).toBeLessThan(256 << 20);
    expect(spawnWeft([...args, other, "--max-memory", "130MB", "--report", join(folder, "dora.json")]).code).toBe(0);
    expect(filesOf(other)).toEqual(filesOf(out));
    expect(readFileSync(join(folder, "dora.json"), "utf8")).not.toContain("inOnePiece");
    // W' = m / ‖W + ΔW‖ · (W + ΔW), by columns, with ΔW = 2·(B·A)ᵀ.
    const [W, A, B, m] = [weight, a, b, magnitude].map(floats) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const sum = (row: number, column: number): number => {
      let delta = 0;
      for (let k = 0; k < r; k++) delta += A[k * vocabulary + row]! * B[column * r + k]!;
      return W[row * width + column]! + 2 * delta;
    };
    const merged = floats(checkpointOf(out).get("emb.weight")!);
    for (const column of [0, 1, 255, width - 1]) {
      let squares = 0;
      for (let row = 0; row < vocabulary; row++) squares += sum(row, column) ** 2;
      for (const row of [0, 1, 31_337, vocabulary - 1]) {
        const want = (m[column]! / Math.sqrt(squares)) * sum(row, column);
        expect(Math.abs(merged[row * width + column]! - want)).toBeLessThan(2e-6 * Math.max(1, Math.abs(want)));
      }
    }
  }, 60_000);

  it("is refused where the budget is below what the program itself takes, with the least that works", () => {
    const { base, lora } = makeLlama(join(folder, "small"));
    const args = ["merge", base, "-a", lora, "-o", join(folder, "small/out"), "--json", "--quiet"];
    const refused = spawnWeft([...args, "--max-memory", "1"]);
    const { error } = JSON.parse(refused.stdout) as { error: { kind: string; message: string; hint: string } };
    expect([refused.code, error.kind]).toEqual([2, "memory-limit"]);
    expect(error.message).toBe("the program itself takes 115.0 MB; --max-memory allows 1 B");
    expect(error.hint).toBe("pass --max-memory 115MB");
    const ran = spawnWeft([...args, "--max-memory", "115MB"]);
    expect(ran.code, ran.stdout).toBe(0);
    expect(ran.maxRss).toBeLessThan(115e6);
  });

  it("is refused before anything is written where it is computed in one piece, with the memory that it needs", async () => {
    const [rows, columns, n] = [2000, 3000, 100];
    const config = { peft_type: "FOURIERFT", n_frequency: n, scaling: 100, random_loc_seed: 777 };
    const { base, adapter } = await written("fourier", f32([rows, columns], near), config, { fourierft_spectrum: f32([n], near) });
    const out = join(folder, "fourier/out");
    const args = ["merge", base, "-a", adapter, "-o", out, "--json", "--quiet"];
    const refused = spawnWeft([...args, "--max-memory", "140MB"]);
    expect(refused.code).toBe(2);
    const { error } = JSON.parse(refused.stdout) as { error: { kind: string; message: string; hint: string } };
    expect(error).toMatchObject({ kind: "memory-limit", tensor: "emb.weight" });
    expect(error.message).toContain("FOURIERFT changes this tensor in one piece");
    expect(existsSync(out)).toBe(false);
    const [, size] = /--max-memory (\d+)MB/.exec(error.hint)!;
    const dry = spawnWeft([...args, "--max-memory", `${size}MB`, "--dry-run"]);
    expect(JSON.parse(dry.stdout)).toMatchObject({ onePiece: ["emb.weight"], jobs: 1 });
    const ran = spawnWeft([...args, "--max-memory", `${size}MB`]);
    expect(ran.code, ran.stdout).toBe(0);
    expect(ran.maxRss).toBeLessThan(Number(size) * 1e6);
    // The size of the change takes the exact result, too.
    const report = join(folder, "fourier.json");
    expect(spawnWeft([...args, "--max-memory", "600MB", "--report", report, "--force"]).code).toBe(0);
    expect(readFileSync(report, "utf8")).toContain('"inOnePiece": true');
  });
});
