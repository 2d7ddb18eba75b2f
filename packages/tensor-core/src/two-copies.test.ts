import { expect, it, vi } from "vitest";
import * as own from "./index.js";

it("a tensor of another copy of the package is refused, and the error says how to get rid of one", async () => {
  vi.resetModules();
  const other = await import("./index.js");
  expect(other.Tensor).not.toBe(own.Tensor);
  const theirs = other.tensor([1, 2]) as unknown as own.Tensor;
  const refused = expect.objectContaining({
    kind: "two-copies",
    hint: expect.stringContaining("npm ls @weft/tensor-core") as string,
  }) as Error;
  expect(() => own.add(own.tensor([1, 2]), theirs)).toThrow(refused);
  expect(() => own.matmul(theirs, theirs)).toThrow(refused);
  const double = own.compile((x: own.Tensor) => own.mul(x, 2));
  await expect((async () => double(theirs))()).rejects.toThrow(refused);
  await expect((async () => double({ x: [theirs] } as never))()).rejects.toThrow(refused);
});
