import { expect, it } from "vitest";
import { decodeBytes } from "./byte-text.js";

const COMMON = Array.from({ length: 90 }, (_, i) => (2 * i + 1).toString(16).padStart(2, "0")).join("");

it("reads common bytes from one character, others from a shift and a character", async () => {
  // Bytes 1, 3 … 179 are common; 0, 2 … 178 and 180 … 255 are not.
  expect([...decodeBytes(" !}", COMMON)]).toEqual([1, 3, 179]);
  expect([...decodeBytes("~ ~}$ $!", COMMON)]).toEqual([0, 178, 180, 181]);
});
it("reads what the build script writes, whatever the bytes are", async () => {
  // @ts-expect-error a script without types
  const { commonestFirst, commonHex, encodeBytes } = await import("../scripts/byte-text.mjs");
  const bytes = Uint8Array.from({ length: 2048 }, (_, i) => (i < 256 ? i : (i * i) % 97));
  const order = commonestFirst([bytes]);
  expect(decodeBytes(encodeBytes(bytes, order), commonHex(order))).toEqual(bytes);
});
