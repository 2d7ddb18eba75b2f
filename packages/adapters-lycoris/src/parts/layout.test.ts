import { iota, reshape, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { fromHwio, fromNhwc, toHwio, toNhwc } from "./layout.js";

const counted = (...shape: number[]): Tensor => reshape(iota([shape.reduce((a, b) => a * b, 1)]), shape);
const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

it("turns OIHW into HWIO and back; element [o, i, h, w] is [h, w, i, o]", async () => {
  const w = counted(2, 3, 4, 5);
  const turned = toHwio(w);
  expect(turned.shape).toEqual([4, 5, 3, 2]);
  const at = ((1 * 5 + 2) * 3 + 2) * 2 + 1;
  expect((await values(turned))[at]).toBe(((1 * 3 + 2) * 4 + 1) * 5 + 2);
  expect(await values(fromHwio(turned))).toEqual(await values(w));
  expect(await values(toHwio(counted(2, 3)))).toEqual([0, 3, 1, 4, 2, 5]);
  expect(await values(fromHwio(toHwio(counted(2, 3))))).toEqual([0, 1, 2, 3, 4, 5]);
});

it("turns NCHW into NHWC and back, for any number of spatial axes", async () => {
  const x = counted(1, 2, 3);
  expect(await values(toNhwc(x))).toEqual([0, 3, 1, 4, 2, 5]);
  const deep = counted(2, 3, 4, 5, 6);
  expect(toNhwc(deep).shape).toEqual([2, 4, 5, 6, 3]);
  expect(await values(fromNhwc(toNhwc(deep)))).toEqual(await values(deep));
});
