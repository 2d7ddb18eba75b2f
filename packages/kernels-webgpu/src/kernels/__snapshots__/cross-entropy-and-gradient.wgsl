// row(max sub exp sum log add sub exp eq cast sub mul)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: f32, p7: f32, p8: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<i32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read_write> b3: array<f32>;
fn w_max(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, w_isnan(b)), a, w_isnan(a)); }
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn w_exp(x: f32) -> f32 {
  let c = clamp(x, -105.0, 90.0);
  let n = round(c * 1.44269504);
  let r = (c - n * 0.693359375) + n * 2.12194440e-4;
  let i = i32(n);
  let h = i / 2;
  let e = exp(r) * bitcast<f32>((h + 127) << 23u) * bitcast<f32>((i - h + 127) << 23u);
  return select(e, x, w_isnan(x));
}
fn w_log(x: f32) -> f32 {
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
}
var<workgroup> tree_f32: array<f32, 256>;
fn reduce_max_f32(x: f32, lid: u32) -> f32 {
  workgroupBarrier();
  tree_f32[lid] = x;
  workgroupBarrier();
  for (var s = 128u; s > 0u; s >>= 1u) {
    if (lid < s) { tree_f32[lid] = w_max(tree_f32[lid], tree_f32[lid + s]); }
    workgroupBarrier();
  }
  return tree_f32[0];
}
fn reduce_sum_f32(x: f32, lid: u32) -> f32 {
  workgroupBarrier();
  tree_f32[lid] = x;
  workgroupBarrier();
  for (var s = 128u; s > 0u; s >>= 1u) {
    if (lid < s) { tree_f32[lid] = tree_f32[lid] + tree_f32[lid + s]; }
    workgroupBarrier();
  }
  return tree_f32[0];
}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
let unit = group;
if (unit >= P.p1) { return; }
let row = unit;
let o0 = P.p2 + row * P.p3;
let o9 = 0u;
let o10 = P.p4 + row;
let o14 = P.p5 + row;
let v10 = b0[o10];
let v14 = b1[o14];
var s1 = P.p6;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b2[o0 + j];
s1 = w_max(s1, v0);
}
let v1 = reduce_max_f32(s1, lid);
var s4 = P.p7;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b2[o0 + j];
let v2 = v0 - v1;
let v3 = w_exp(v2);
s4 = s4 + v3;
}
let v4 = reduce_sum_f32(s4, lid);
let v5 = w_log(v4);
let v6 = v5 + v1;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b2[o0 + j];
let v7 = v0 - v6;
let v8 = w_exp(v7);
let v9 = i32(o9 + j);
let v11 = i32(v9 == v10);
let v12 = f32(v11);
let v13 = v8 - v12;
let v15 = v13 * v14;
b3[P.p8 + row * P.p0 + j] = v15;
}
}
