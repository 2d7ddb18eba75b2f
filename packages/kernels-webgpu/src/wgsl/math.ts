/**
 * Elementwise functions of f32 where WGSL's own are too loose (sin and cos may be off by 2⁻¹¹, log near 1 by 2⁻²¹, tanh overflows on
 * some drivers) or absent (erf). Polynomials were fitted by weighted least squares on Chebyshev nodes against
 * f64; errors below are those of the fit, rounding adds 1–2 ulp. Denormals may be flushed to zero by the device.
 */
export const MATH_FUNCTIONS: Readonly<Record<string, string>> = {
  w_isnan: `fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`,
  // 2^n·e^r with |r| ≤ ln2/2: the argument of the built-in stays small, where it is accurate. Two factors reach over the exponent range.
  w_exp: `fn w_exp(x: f32) -> f32 {
  let c = clamp(x, -105.0, 90.0);
  let n = round(c * 1.44269504);
  let r = (c - n * 0.693359375) + n * 2.12194440e-4;
  let i = i32(n);
  let h = i / 2;
  let e = exp(r) * bitcast<f32>((h + 127) << 23u) * bitcast<f32>((i - h + 127) << 23u);
  return select(e, x, w_isnan(x));
}`,
  // log(m·2^e) = e·ln2 + 2·artanh(s), s = (m-1)/(m+1), |s| ≤ 0.172.
  w_log: `fn w_log(x: f32) -> f32 {
  let b = bitcast<u32>(x);
  if (b == 0x7f800000u || (b & 0x7fffffffu) > 0x7f800000u) { return x; }
  if ((b & 0x7fffffffu) < 0x00800000u) { return bitcast<f32>(0xff800000u | (b & 0u)); }
  if (b >= 0x80000000u) { return bitcast<f32>(0x7fc00000u | (b & 0u)); }
  let e = bitcast<i32>(b - 0x3f3504f3u) >> 23u;
  let f = bitcast<f32>(b - (bitcast<u32>(e) << 23u)) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let p = z * (0.666666667 + z * (0.4 + z * (0.285714286 + z * 0.222222222)));
  return f32(e) * 0.693359375 + (2.0 * s + (s * p - f32(e) * 2.12194440e-4));
}`,
  w_tanh: `fn w_tanh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.6) {
    let s = x * x;
    return x * (1.0 + s * (-0.33333284 + s * (0.133317047 + s * (-0.0537699218 + s * (0.0207574755 + s * -0.00585642785)))));
  }
  return sign(x) * (1.0 - 2.0 / (exp(2.0 * min(a, 12.0)) + 1.0)) + select(0.0, x, w_isnan(x));
}`,
  // |x| < 1: odd polynomial (3e-11); above: 1 - exp(-q(|x|)) (1.3e-9), 1 from 4 on.
  w_erf: `fn w_erf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let s = x * x;
    return x * (1.12837917 + s * (-0.376126384 + s * (0.112837818 + s * (-0.0268653921 + s * (0.00522092322 + s * (-8.48250776e-4 + s * (1.12546409e-4 + s * -9.63499167e-6)))))));
  }
  let t = min(a, 4.0);
  let q = -2.42708347e-5 + t * (1.12886802 + t * (0.634509294 + t * (0.10715024 + t * (-0.02447846 + t * (0.00395901788 + t * (-3.96612464e-4 + t * 1.82845082e-5))))));
  return sign(x) * (1.0 - exp(-q)) + select(0.0, x, w_isnan(x));
}`,
  // Reduction by π/2 in three parts (the first two exact for |x| < 10⁴); then Taylor series on ±π/4 (below 2e-9).
  w_sincos: `fn w_sincos(x: f32, shift: i32) -> f32 {
  let n = round(x * 0.636619772);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789948768648e-8;
  let q = i32(n) + shift;
  let s = r * r;
  let sine = r + r * s * (-0.166666667 + s * (0.00833333333 + s * (-1.98412698e-4 + s * 2.75573192e-6)));
  let cosine = 1.0 + s * (-0.5 + s * (0.0416666667 + s * (-0.00138888889 + s * (2.48015873e-5 + s * -2.75573192e-7))));
  let v = select(sine, cosine, (q & 1) == 1);
  return select(v, -v, (q & 2) == 2);
}`,
  w_sin: `fn w_sin(x: f32) -> f32 { return w_sincos(x, 0); }`,
  w_cos: `fn w_cos(x: f32) -> f32 { return w_sincos(x, 1); }`,
  // Small whole exponents by multiplication, so that x¹ is x; a negative base only with a whole exponent.
  w_pow: `fn w_pow(x: f32, y: f32) -> f32 {
  if (y == 0.0) { return 1.0; }
  if (y == 1.0) { return x; }
  if (y == 2.0) { return x * x; }
  if (y == 3.0) { return x * x * x; }
  let a = abs(x);
  let whole = floor(y) == y;
  let odd = whole && abs(y) < 16777216.0 && (i32(clamp(y, -16777216.0, 16777216.0)) & 1) == 1;
  let zero = bitcast<u32>(x) & 0u;
  var r = w_exp(y * w_log(a));
  if (a == 0.0) { r = select(bitcast<f32>(0x7f800000u | zero), 0.0, y > 0.0); }
  if (a == 1.0) { r = 1.0; }
  if (x < 0.0 && !whole) { return bitcast<f32>(0x7fc00000u | zero); }
  return select(r, -r, x < 0.0 && odd);
}`,
  w_mod: `fn w_mod(a: f32, b: f32) -> f32 { return a - floor(a / b) * b; }`,
  // A NaN on either side wins, as in torch.
  w_max: `fn w_max(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, w_isnan(b)), a, w_isnan(a)); }`,
  w_min: `fn w_min(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, w_isnan(b)), a, w_isnan(a)); }`,
  // WGSL leaves NaN open, and the nearest f32 below 2^31 is not the largest i32.
  w_to_i32: `fn w_to_i32(x: f32) -> i32 {
  if (w_isnan(x)) { return 0; }
  if (x >= 2147483648.0) { return 2147483647; }
  return i32(max(x, -2147483648.0));
}`,
  w_sign: `fn w_sign(x: f32) -> f32 { return select(sign(x), x, w_isnan(x)); }`,
  w_idiv: `fn w_idiv(a: i32, b: i32) -> i32 { return select(a / select(b, 1, b == 0), 0, b == 0); }`,
  w_imod: `fn w_imod(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let r = a % b;
  return select(r, r + b, r != 0 && ((r ^ b) < 0));
}`,
  w_ipow: `fn w_ipow(x: i32, y: i32) -> i32 {
  if (y < 0) { return select(select(0, select(1, -1, (y & 1) == 1), x == -1), 1, x == 1); }
  var r = 1; var b = x;
  for (var e = y; e > 0; e >>= 1u) { if ((e & 1) == 1) { r *= b; } b *= b; }
  return r;
}`,
};
