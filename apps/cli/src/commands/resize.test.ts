import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "@weft/tensor-core";
import { matrix, product } from "@weft/tensor-core/linalg";
import { describe, expect, it } from "vitest";
import { tensorsOf } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const CASES = join(FIXTURES, "lycoris/resize");

interface Case {
  readonly method: string | null;
  readonly param: number | null;
  readonly max_rank: number;
  readonly new_rank: number;
  readonly new_alpha: number;
  readonly tolerance: { readonly atol: number; readonly rtol: number };
}

const values = (bytes: Uint8Array): Float64Array => decode(Uint8Array.from(bytes), "f32");

describe.each(readdirSync(CASES))("kohya's case %s", (name) => {
  const meta = JSON.parse(readFileSync(join(CASES, name, "case.json"), "utf8")) as Case;
  const want = tensorsOf(join(CASES, name, "tensors.safetensors")).get("product")!;
  const rule = meta.method === null ? [] : [`--${meta.method.replace("_", "-")}`, String(meta.param)];

  it("has kohya's rank, alpha and product, under kohya's names", async () => {
    const out = join(folder, `${name}.safetensors`);
    const { code, stderr } = await weft(
      "resize",
      join(CASES, name, "adapter.safetensors"),
      "--rank",
      String(meta.max_rank),
      ...rule,
      "-o",
      out,
    );
    expect(code, stderr).toBe(0);
    const tensors = tensorsOf(out);
    const [down, up, alpha] = ["lora_down.weight", "lora_up.weight", "alpha"].map((key) => tensors.get(`lora_unet_m.${key}`)!) as [
      typeof want,
      typeof want,
      typeof want,
    ];
    expect(tensors.size).toBe(3);
    expect([down.shape[0], values(alpha.bytes)[0]]).toEqual([meta.new_rank, meta.new_alpha]);
    const rank = meta.new_rank;
    const [a, b] = [values(down.bytes), values(up.bytes)];
    const got = product(matrix(b.length / rank, rank, b), matrix(rank, a.length / rank, a)).data;
    const { atol, rtol } = meta.tolerance;
    const expected = values(want.bytes);
    expect(got.every((x, i) => Math.abs(x - expected[i]!) <= atol + rtol * Math.abs(expected[i]!))).toBe(true);
    const header = readFileSync(out).toString("latin1");
    expect(header).toContain(
      meta.method ? `Dynamic resize with ${meta.method}: ${meta.param} from 8; ` : `dimension is resized from 8 to ${rank}; `,
    );
    expect(header).toContain(meta.method ? '"ss_network_dim":"Dynamic"' : `"ss_network_dim":"${rank}"`);
  });
});

it("keeps PEFT's form, and says what is kept", async () => {
  const out = join(folder, "peft");
  const { code, stdout, stderr } = await weft("resize", join(FIXTURES, "peft/lora_linear"), "--rank", "1", "-o", out, "--json");
  expect(code, stderr).toBe(0);
  const config = JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8")) as { r: number };
  expect(config.r).toBe(1);
  const { modules } = JSON.parse(stdout.trim().split("\n").at(-1)!) as { modules: { to: number; kept: number }[] };
  expect(modules.length).toBeGreaterThan(0);
  for (const { to, kept } of modules) {
    expect(to).toBe(1);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThanOrEqual(1);
  }
});

it("refuses DoRA in any dialect, and writes nothing: its magnitudes are of the change as it is", async () => {
  for (const input of ["peft/lora_dora", "lycoris/modules/037-locon-linear-weight_decompose/adapter.safetensors"]) {
    const out = join(folder, "dora");
    const { code, stderr } = await weft("resize", join(FIXTURES, input), "--rank", "1", "-o", out);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/magnitudes \(DoRA\)[^]*weft extract/) as unknown]);
    expect(existsSync(out)).toBe(false);
  }
});

it("refuses two rules at once, no rank, and adapters of other kinds", async () => {
  const input = join(CASES, readdirSync(CASES)[0]!, "adapter.safetensors");
  const out = join(folder, "refused.safetensors");
  const run = async (...args: string[]): Promise<[number, string]> => {
    const { code, stdout } = await weft("resize", "--json", "--quiet", ...args, "-o", out);
    return [code, (JSON.parse(stdout.trim().split("\n").at(-1)!) as { error: { kind: string } }).error.kind];
  };
  expect(await run(input, "--rank", "4", "--sv-fro", "0.9", "--sv-ratio", "2")).toEqual([2, "usage"]);
  expect(await run(input)).toEqual([2, "usage"]);
  expect(await run(join(FIXTURES, "lycoris/modules/093-full-linear/adapter.safetensors"), "--rank", "4")).toEqual([4, "no-match"]);
});
