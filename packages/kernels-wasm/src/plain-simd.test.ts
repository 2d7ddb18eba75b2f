import { expect, it } from "vitest";
import { plainSimd } from "./plain-simd.js";

/** (func (param f32 f32) (param f32) (result v128)) with a local of its own: relaxed_madd of the three, splatted; in a module with a type before it. */
const MODULE = Uint8Array.from(
  Buffer.from(
    "0061736d01000000" + // magic, version
      "010b0260000060037d7d7d017b" + // types: () → (), (f32, f32, f32) → v128
      "03020101" + // one function of the second type
      "07050101660000" + // export "f"
      "0a15011301017f" + // one body of 19 bytes with a local i32
      "2000fd132001fd132002fd13fd85020b",
    "hex",
  ),
);

it("relaxed multiply-adds become products and sums", () => {
  const plain = plainSimd(MODULE);
  // local.set 4, f32x4.mul, local.get 4, f32x4.add: behind three parameters and a local comes the new one.
  expect(Buffer.from(plain).toString("hex")).toContain("2104fde6012004fde4010b");
  expect(WebAssembly.validate(plain)).toBe(true);
});
