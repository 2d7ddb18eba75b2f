import { expect, it, vi } from "vitest";
import * as own from "./index.js";

it("a tensor of another copy of the package is refused, and the error names both versions and how to get rid of one", async () => {
  vi.resetModules();
  vi.doMock("./version.js", () => ({ VERSION: "0.9.1" }));
  const other = await import("./index.js");
  expect(other.Tensor).not.toBe(own.Tensor);
  const theirs = other.tensor([1, 2]) as unknown as own.Tensor;
  const refused = expect.objectContaining({
    kind: "two-copies",
    message: expect.stringContaining("of @weft/tensor-core: 0.9.1, this one is unreleased") as string,
    hint: expect.stringContaining("npm ls @weft/tensor-core") as string,
  }) as Error;
  expect(() => own.add(own.tensor([1, 2]), theirs)).toThrow(refused);
  expect(() => own.matmul(theirs, theirs)).toThrow(refused);
  const double = own.compile((x: own.Tensor) => own.mul(x, 2));
  await expect((async () => double(theirs))()).rejects.toThrow(refused);
  await expect((async () => double({ x: [theirs] } as never))()).rejects.toThrow(refused);
});

it("a copy from before versions were told is called older", () => {
  const node = own.tensor([1]).node;
  class Tensor {
    readonly node = node;
    readonly dtype = "f32";
  }
  expect(() => own.neg(new Tensor() as unknown as own.Tensor)).toThrow(/an older version, this one/);
});
