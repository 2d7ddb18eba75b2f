// matmul 64x64
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<u32>;
fn bits_b1(i: u32) -> u32 { return (b1[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
@group(0) @binding(3) var<storage, read_write> b2: array<f32>;
fn load_a0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p0 || k >= end) { return 0.0; }
return b0[base + r * P.p2 + k * 1u];
}
fn load_b0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p1 || k >= end) { return 0.0; }
return (bitcast<f32>(bitcast<i32>(bits_b1(base + r * P.p4 + k * 1u)) << 16u));
}
var<workgroup> tile_a: array<vec4<f32>, 272>;
var<workgroup> tile_b: array<vec4<f32>, 272>;
fn store4(batch: u32, row: u32, col: u32, v: vec4<f32>) {
if (row >= P.p11) { return; }
let at = P.p14 + (batch * P.p11 + row) * P.p13 + col;
if (col + 0u < P.p12) { b2[at + 0u] = v[0]; }
if (col + 1u < P.p12) { b2[at + 1u] = v[1]; }
if (col + 2u < P.p12) { b2[at + 2u] = v[2]; }
if (col + 3u < P.p12) { b2[at + 3u] = v[3]; }
}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p8) { return; }
let tile = group % P.p7;
let batch = group / P.p7;
let slab = batch;
let row0 = (tile / P.p9) * 64u;
let col0 = (tile % P.p10) * 64u;
let ty = lid / 16u;
let tx = lid % 16u;
let base_load_a0 = P.p3;
let base_load_b0 = P.p5;
var acc000 = vec4<f32>();
var acc001 = vec4<f32>();
var acc002 = vec4<f32>();
var acc003 = vec4<f32>();
{ let begin = 0u;
let end = P.p6;
for (var k0 = begin; k0 < end; k0 += 16u) {
for (var s = lid; s < 256u; s += 256u) {
let k = s % 16u; let v = s / 16u;
tile_a[k * 17u + v] = vec4<f32>(load_a0(base_load_a0, row0 + v * 4u + 0u, k0 + k, end), load_a0(base_load_a0, row0 + v * 4u + 1u, k0 + k, end), load_a0(base_load_a0, row0 + v * 4u + 2u, k0 + k, end), load_a0(base_load_a0, row0 + v * 4u + 3u, k0 + k, end));
}
for (var s = lid; s < 256u; s += 256u) {
let k = s % 16u; let v = s / 16u;
tile_b[k * 17u + v] = vec4<f32>(load_b0(base_load_b0, col0 + v * 4u + 0u, k0 + k, end), load_b0(base_load_b0, col0 + v * 4u + 1u, k0 + k, end), load_b0(base_load_b0, col0 + v * 4u + 2u, k0 + k, end), load_b0(base_load_b0, col0 + v * 4u + 3u, k0 + k, end));
}
workgroupBarrier();
for (var kk = 0u; kk < 16u; kk++) {
let fa0 = tile_a[kk * 17u + ty + 0u];
let fb0 = tile_b[kk * 17u + tx + 0u];
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
