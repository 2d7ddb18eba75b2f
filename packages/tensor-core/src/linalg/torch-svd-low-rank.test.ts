import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { matrix } from "./matrix.js";
import { torchSvdLowRank } from "./torch-svd-low-rank.js";

type Case = Readonly<Record<"a" | "u" | "s" | "vt", string>> & Readonly<Record<"rows" | "cols" | "q" | "niter" | "seed", number>>;
const cases = JSON.parse(readFileSync(new URL("../../../../fixtures/linalg/svd-lowrank.json", import.meta.url), "utf8")) as Case[];

const decode = (text: string): Float64Array => {
  const bytes = Buffer.from(text, "base64");
  return Float64Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
};

describe("torchSvdLowRank against torch.svd_lowrank", () => {
  it.each(cases)("$rows × $cols, q $q, niter $niter: values, vectors and their signs", ({ rows, cols, q, niter, seed, a, u, s, vt }) => {
    const found = torchSvdLowRank(matrix(rows, cols, decode(a)), q, niter, seed);
    for (const [got, want] of [
      [found.u.data, decode(u)],
      [found.s, decode(s)],
      [found.vt.data, decode(vt)],
    ] as const) {
      expect(got.length).toBe(want.length);
      got.forEach((x, i) => expect(Math.abs(x - want[i]!)).toBeLessThan(1e-4));
    }
  });
});
