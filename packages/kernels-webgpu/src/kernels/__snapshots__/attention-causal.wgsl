// attention 32x16
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: f32, p5: f32, p6: f32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32, p15: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read_write> b3: array<f32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;
fn w_max(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, w_isnan(b)), a, w_isnan(a)); }
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
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
fn load_q(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b0[at + 0u];
v[1] = b0[at + 1u];
v[2] = b0[at + 2u];
v[3] = b0[at + 3u];
return v;
}
fn load_k(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b1[at + 0u];
v[1] = b1[at + 1u];
v[2] = b1[at + 2u];
v[3] = b1[at + 3u];
return v;
}
fn load_v(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b2[at + 0u];
v[1] = b2[at + 1u];
v[2] = b2[at + 2u];
v[3] = b2[at + 3u];
return v;
}
var<workgroup> tile_q: array<vec4<f32>, 96>;
var<workgroup> tile_kv: array<vec4<f32>, 48>;
var<workgroup> scores: array<f32, 544>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p10) { return; }
let slab = group / P.p3;
let row0 = (group % P.p3) * 32u;
let mine = lid / 8u;
let lane = lid % 8u;
let row = row0 + mine;
let t = row % P.p7;
for (var s = lid; s < 64u; s += 256u) {
let r = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (row0 + r < P.p0) { x = load_q(P.p11 + (slab * P.p0 + row0 + r) * P.p1 + c * 4u, P.p1 - c * 4u); }
tile_q[r * 3u + c] = x;
}
var top = P.p5;
var total = 0.0;
var acc0 = vec4<f32>();
let last_row = min(row0 + 31u, P.p0 - 1u);
let last_t = select(P.p7 - 1u, last_row % P.p7, last_row / P.p7 == row0 / P.p7);
let end = min(P.p8, select(0u, last_t + P.p8 + 1u - P.p7, last_t + P.p8 + 1u > P.p7));
for (var k0 = 0u; k0 < end; k0 += 16u) {
for (var s = lid; s < 32u; s += 256u) {
let j = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (k0 + j < P.p8) { x = load_k(P.p12 + (slab * P.p8 + k0 + j) * P.p1 + c * 4u, P.p1 - c * 4u); }
tile_kv[j * 3u + c] = x;
}
workgroupBarrier();
let j0 = lane + 0u;
var d0 = 0.0;
for (var c = 0u; c < 2u; c++) { d0 += dot(tile_q[mine * 3u + c], tile_kv[j0 * 3u + c]); }
var s0 = d0 * P.p4;
let seen0 = !(k0 + j0 + P.p7 > t + P.p8);
if (!seen0) { s0 = P.p5; }
scores[mine * 17u + j0] = s0;
let j1 = lane + 8u;
var d1 = 0.0;
for (var c = 0u; c < 2u; c++) { d1 += dot(tile_q[mine * 3u + c], tile_kv[j1 * 3u + c]); }
var s1 = d1 * P.p4;
let seen1 = !(k0 + j1 + P.p7 > t + P.p8);
if (!seen1) { s1 = P.p5; }
scores[mine * 17u + j1] = s1;
workgroupBarrier();
var high = top;
for (var j = 0u; j < 16u; j++) { if (k0 + j < P.p8) { high = w_max(high, scores[mine * 17u + j]); } }
let fade = exp(top - high);
top = high;
workgroupBarrier();
scores[mine * 17u + lane + 0u] = select(0.0, exp(s0 - high), k0 + lane + 0u < P.p8);
scores[mine * 17u + lane + 8u] = select(0.0, exp(s1 - high), k0 + lane + 8u < P.p8);
for (var s = lid; s < 32u; s += 256u) {
let j = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (k0 + j < P.p8) { x = load_v(P.p13 + (slab * P.p8 + k0 + j) * P.p2 + c * 4u, P.p2 - c * 4u); }
tile_kv[j * 3u + c] = x;
}
workgroupBarrier();
total *= fade;
acc0 *= fade;
for (var j = 0u; j < 16u; j++) {
let p = scores[mine * 17u + j];
total += p;
acc0 += p * tile_kv[j * 3u + min(lane + 0u, 1u)];
}
workgroupBarrier();
}
if (row >= P.p0) { return; }
if (lane == 0u) { b4[P.p14 + slab * P.p0 + row] = top + w_log(total); }
{ let col = (lane + 0u) * 4u;
let at = P.p15 + (slab * P.p0 + row) * P.p2 + col;
if (col + 0u < P.p2) { b3[at + 0u] = (acc0[0] / total); }
if (col + 1u < P.p2) { b3[at + 1u] = (acc0[1] / total); }
if (col + 2u < P.p2) { b3[at + 2u] = (acc0[2] / total); }
if (col + 3u < P.p2) { b3[at + 3u] = (acc0[3] / total); }
}
}
