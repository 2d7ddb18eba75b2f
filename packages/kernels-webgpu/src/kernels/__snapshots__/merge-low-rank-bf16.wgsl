// mergeLowRank 32x32
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32, p15: u32, p16: u32, p17: f32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;
fn word_b2(w: u32, v: u32, mask: u32) {
  if (mask == 0xffffffffu) { b2[w] = v; } else if (mask != 0u) { b2[w] = (b2[w] & ~mask) | v; }
}
@group(0) @binding(4) var<storage, read> b3: array<u32>;
fn bits_b3(i: u32) -> u32 { return (b3[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
fn w_to_bf16(x: f32) -> u32 {
let t0 = bitcast<i32>(bitcast<u32>(x) >> 16u);
let t1 = bitcast<i32>(x) + 32767;
let t2 = t0 & 1;
let t3 = t1 + t2;
let t4 = bitcast<i32>(bitcast<u32>(t3) >> 16u);
let t5 = w_isnan(x);
let t6 = t0 & 32768;
let t7 = t6 | 32704;
let t8 = select(t4, t7, t5);
return bitcast<u32>(t8);
}
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn load_a0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p0 || k >= end) { return 0.0; }
return b0[base + r * P.p2 + k * 1u];
}
fn load_b0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p1 || k >= end) { return 0.0; }
return b1[base + r * 1u + k * P.p4];
}
var<workgroup> tile_a: array<vec4<f32>, 144>;
var<workgroup> tile_b: array<vec4<f32>, 144>;
fn store4(batch: u32, row: u32, col: u32, v: vec4<f32>) {
if (row >= P.p11) { return; }
let at = P.p14 + (batch * P.p11 + row) * P.p13 + col;
if (col + 0u < P.p12) { word_b2((at + 0u) / 2u, (w_to_bf16((bitcast<f32>((bitcast<i32>(bits_b3(P.p15 + row * P.p16 + (col + 0u)))) << 16u)) + (v[0] * P.p17)) << 0u) | (w_to_bf16((bitcast<f32>((bitcast<i32>(bits_b3(P.p15 + row * P.p16 + (col + 1u)))) << 16u)) + (v[1] * P.p17)) << 16u), 0xffffffffu); }
if (col + 2u < P.p12) { word_b2((at + 2u) / 2u, (w_to_bf16((bitcast<f32>((bitcast<i32>(bits_b3(P.p15 + row * P.p16 + (col + 2u)))) << 16u)) + (v[2] * P.p17)) << 0u) | (w_to_bf16((bitcast<f32>((bitcast<i32>(bits_b3(P.p15 + row * P.p16 + (col + 3u)))) << 16u)) + (v[3] * P.p17)) << 16u), 0xffffffffu); }
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
if (group >= P.p8) { return; }
let tile = group % P.p7;
let batch = group / P.p7;
let slab = batch;
let row0 = (tile / P.p9) * 32u;
let col0 = (tile % P.p10) * 32u;
let ty = lid / 8u;
let tx = lid % 8u;
let base_load_a0 = P.p3;
let base_load_b0 = P.p5;
var acc000 = vec4<f32>();
var acc001 = vec4<f32>();
var acc002 = vec4<f32>();
var acc003 = vec4<f32>();
{ let begin = 0u;
let end = P.p6;
for (var k0 = begin; k0 < end; k0 += 16u) {
for (var s = lid; s < 128u; s += 64u) {
let k = s % 16u; let v = s / 16u;
tile_a[k * 9u + v] = vec4<f32>(load_a0(base_load_a0, row0 + v * 4u + 0u, k0 + k, end), load_a0(base_load_a0, row0 + v * 4u + 1u, k0 + k, end), load_a0(base_load_a0, row0 + v * 4u + 2u, k0 + k, end), load_a0(base_load_a0, row0 + v * 4u + 3u, k0 + k, end));
}
for (var s = lid; s < 128u; s += 64u) {
let v = s % 8u; let k = s / 8u;
tile_b[k * 9u + v] = vec4<f32>(load_b0(base_load_b0, col0 + v * 4u + 0u, k0 + k, end), load_b0(base_load_b0, col0 + v * 4u + 1u, k0 + k, end), load_b0(base_load_b0, col0 + v * 4u + 2u, k0 + k, end), load_b0(base_load_b0, col0 + v * 4u + 3u, k0 + k, end));
}
workgroupBarrier();
for (var kk = 0u; kk < 16u; kk++) {
let fa0 = tile_a[kk * 9u + ty + 0u];
let fb0 = tile_b[kk * 9u + tx + 0u];
acc000 += fa0.x * fb0;
acc001 += fa0.y * fb0;
acc002 += fa0.z * fb0;
acc003 += fa0.w * fb0;
}
workgroupBarrier();
} }
store4(slab, row0 + (ty + 0u) * 4u + 0u, col0 + (tx + 0u) * 4u, acc000);
store4(slab, row0 + (ty + 0u) * 4u + 1u, col0 + (tx + 0u) * 4u, acc001);
store4(slab, row0 + (ty + 0u) * 4u + 2u, col0 + (tx + 0u) * 4u, acc002);
store4(slab, row0 + (ty + 0u) * 4u + 3u, col0 + (tx + 0u) * 4u, acc003);
}
