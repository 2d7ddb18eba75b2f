import { join } from "node:path";
import { toCoreDType } from "@weft/io-safetensors";
import { decode } from "@weft/tensor-core";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf } from "../testing/checkpoints.js";
import { buildProgram, spawnWeft, temporaryFolder } from "../testing/cli.js";
import { MERGED_CASES, mergedCase } from "../testing/peft-cases.js";

const folder = temporaryFolder();
const values = ({ bytes, dtype }: { bytes: Buffer; dtype: string }): ArrayLike<number> =>
  decode(new Uint8Array(bytes), toCoreDType(dtype as "F32")!);

beforeAll(buildProgram);

describe("weft merge writes what PEFT merged", () => {
  it.each(MERGED_CASES)("%s", async (name) => {
    const { adapter, base, tolerance, merged } = await mergedCase(name, folder);
    const out = join(folder, name);
    const ran = spawnWeft(["merge", base, "-a", adapter, "-o", out, "--jobs", "1"]);
    expect(ran.code, ran.stderr).toBe(0);
    const written = checkpointOf(out);
    for (const [key, want] of merged) {
      const [got, expected] = [values(written.get(key)!), values(want)];
      expect(got.length).toBe(expected.length);
      const size = Array.from(expected).reduce((top, v) => Math.max(top, Math.abs(v)), 1);
      const wrong = Array.from(expected).findIndex((v, i) => !(Math.abs(got[i]! - v) <= tolerance * size));
      expect(wrong < 0 ? "equal" : `${key}[${wrong}] is ${got[wrong]}, PEFT has ${expected[wrong]}`).toBe("equal");
    }
  });
});
