import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, weft } from "../testing/cli.js";
import { f32, writeTensors } from "@weft/checkpoint/testing";

const folder = temporaryFolder();
const [whole, left] = [join(folder, "whole"), join(folder, "left")];
const weight = (seed: number) => f32([4, 4], (i) => Math.sin(i + seed));

it("what DeepSpeed ZeRO-3 left of a checkpoint is neither compared nor extracted, on whichever side", async () => {
  await writeTensors(join(whole, "model.safetensors"), new Map([["a.weight", weight(1)], ["b.weight", weight(2)]])); // prettier-ignore
  await writeTensors(join(left, "model.safetensors"), new Map([["a.weight", weight(3)], ["b.weight", f32([0], () => 0)]])); // prettier-ignore
  const out = join(folder, "out");
  for (const [base, tuned] of [
    [whole, left],
    [left, whole],
    [left, left],
  ] as const)
    for (const args of [
      ["diff", base, tuned],
      ["extract", tuned, "--base", base, "--rank", "1", "-o", out],
    ]) {
      const { code, stdout } = await weft(...args, "--json", "--quiet");
      expect(code, args.join(" ")).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({
        error: { kind: "zero3-leftovers", message: expect.stringContaining(join(left, "model.safetensors")) as unknown },
      });
    }
});
