// conv 32x32
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32, p15: u32, p16: u32, p17: u32, p18: u32, p19: u32, p20: u32, p21: u32, p22: u32, p23: u32, p24: u32, p25: u32, p26: u32, p27: u32, p28: u32, p29: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read_write> b2: array<f32>;
fn load_a0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p0 || k >= end) { return 0.0; }
return b0[base + r * P.p2 + k];
}
fn load_b0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p1 || k >= end) { return 0.0; }
let t = k % P.p4;
let p1 = r % P.p5;
let pr1 = r / P.p5;
let p0 = pr1;
let t1 = t % P.p6;
let tr1 = t / P.p6;
let t0 = tr1;
var at = base + (k / P.p4) * P.p7;
let i0 = p0 * P.p8 + t0 * P.p9 - P.p10;
if (i0 >= 0x80000000u || i0 % P.p11 != 0u || i0 / P.p11 >= P.p12) { return 0.0; }
at += (i0 / P.p11) * P.p13;
let i1 = p1 * P.p14 + t1 * P.p15 - P.p16;
if (i1 >= 0x80000000u || i1 % P.p17 != 0u || i1 / P.p17 >= P.p18) { return 0.0; }
at += (i1 / P.p17) * P.p19;
return b1[at];
}
var<workgroup> tile_a: array<vec4<f32>, 144>;
var<workgroup> tile_b: array<vec4<f32>, 144>;
fn store4(batch: u32, row: u32, col: u32, v: vec4<f32>) {
if (row >= P.p26) { return; }
let at = P.p29 + (batch * P.p26 + row) * P.p28 + col;
if (col + 0u < P.p27) { b2[at + 0u] = v[0]; }
if (col + 1u < P.p27) { b2[at + 1u] = v[1]; }
if (col + 2u < P.p27) { b2[at + 2u] = v[2]; }
if (col + 3u < P.p27) { b2[at + 3u] = v[3]; }
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
if (group >= P.p23) { return; }
let tile = group % P.p22;
let batch = group / P.p22;
let slab = batch;
let row0 = (tile / P.p24) * 32u;
let col0 = (tile % P.p25) * 32u;
let ty = lid / 8u;
let tx = lid % 8u;
let base_load_a0 = P.p3;
let base_load_b0 = P.p20;
var acc000 = vec4<f32>();
var acc001 = vec4<f32>();
var acc002 = vec4<f32>();
var acc003 = vec4<f32>();
{ let begin = 0u;
let end = P.p21;
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
