import { madd } from "../float.wasm";

/** (1 + 2^-12)² - (1 + 2^-11): 2^-24 if `madd` is fused, 0 if the product was rounded first. */
export function probeFused(): f32 {
  const x = f32x4.splat(1.000244140625);
  return f32x4.extract_lane(madd(x, x, f32x4.splat(-1.00048828125)), 0);
}
