// fused(exp add)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
fn w_exp(x: f32) -> f32 {
  let c = clamp(x, -105.0, 90.0);
  let n = round(c * 1.44269504);
  let r = (c - n * 0.693359375) + n * 2.12194440e-4;
  let i = i32(n);
  let h = i / 2;
  let e = exp(r) * bitcast<f32>((h + 127) << 23u) * bitcast<f32>((i - h + 127) << 23u);
  return select(e, x, w_isnan(x));
}
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
let i = tid;
if (i >= P.p1) { return; }
let c1 = i % P.p2;
let cr1 = i / P.p2;
let c0 = cr1;
let v0 = b1[P.p3 + c0 * P.p4 + c1];
let v1 = w_exp(v0);
let v2 = b2[P.p5 + c1];
let v3 = v1 + v2;
b0[P.p0 + i] = v3;
}
