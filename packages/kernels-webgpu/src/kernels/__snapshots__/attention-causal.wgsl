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
let t0 = x < (1.1754943508222875e-38f);
let t1 = x * 8388608f;
let t2 = select(x, t1, t0);
let t3 = bitcast<i32>(t2) - 1060439283;
let t4 = t3 >> 23u;
let t5 = select(0, 23, t0);
let t6 = t4 - t5;
let t7 = t3 & 8388607;
let t8 = t7 + 1060439283;
let t9 = bitcast<f32>(t8) - 1f;
let t10 = f32(t6);
let t11 = t9 * t9;
let t12 = (-0.07866719365119934f) * t9;
let t13 = t12 + 0.12881025671958923f;
let t14 = t13 * t9;
let t15 = t14 + (-0.13125652074813843f);
let t16 = t15 * t9;
let t17 = t16 + 0.14181189239025116f;
let t18 = t17 * t9;
let t19 = t18 + (-0.1662491410970688f);
let t20 = t19 * t9;
let t21 = t20 + 0.20002290606498718f;
let t22 = t21 * t9;
let t23 = t22 + (-0.2500079870223999f);
let t24 = t23 * t9;
let t25 = t24 + 0.33333316445350647f;
let t26 = t25 * t9;
let t27 = t26 * t11;
let t28 = t10 * (-0.00021219444170128554f);
let t29 = t27 + t28;
let t30 = t11 * 0.5f;
let t31 = t29 - t30;
let t32 = t31 + t9;
let t33 = t10 * 0.693359375f;
let t34 = t32 + t33;
let t35 = x < w_float(0x7f800000u);
let t36 = select(x, t34, t35);
let t37 = x == 0f;
let t38 = select(w_float(0x7fc00000u), w_float(0xff800000u), t37);
let t39 = 0f < x;
let t40 = select(t38, t36, t39);
return t40;
}
fn w_float(bits: u32) -> f32 { return bitcast<f32>(bits); }
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
