// weightNorm
struct Params { p0: u32, p1: u32, p2: u32, p3: f32, p4: u32, p5: u32, p6: u32, p7: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<u32>;
fn bits_b0(i: u32) -> u32 { return (b0[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read_write> b3: array<f32>;
var<workgroup> factor_low: array<vec4<f32>, 256>;
var<workgroup> sums_low: array<vec4<f32>, 128>;
var<workgroup> factor_high: array<vec4<f32>, 256>;
var<workgroup> sums_high: array<vec4<f32>, 128>;
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 128u + lid;
let row0 = group * 8u;
if (row0 >= P.p0) { return; }
for (var q = lid; q < P.p2; q += 128u) {
factor_low[q] = P.p3 * vec4<f32>(b2[P.p6 + min(row0 + 0u, P.p0 - 1u) * P.p2 + q], b2[P.p6 + min(row0 + 1u, P.p0 - 1u) * P.p2 + q], b2[P.p6 + min(row0 + 2u, P.p0 - 1u) * P.p2 + q], b2[P.p6 + min(row0 + 3u, P.p0 - 1u) * P.p2 + q]);
factor_high[q] = P.p3 * vec4<f32>(b2[P.p6 + min(row0 + 4u, P.p0 - 1u) * P.p2 + q], b2[P.p6 + min(row0 + 5u, P.p0 - 1u) * P.p2 + q], b2[P.p6 + min(row0 + 6u, P.p0 - 1u) * P.p2 + q], b2[P.p6 + min(row0 + 7u, P.p0 - 1u) * P.p2 + q]);
}
workgroupBarrier();
var sum_low = vec4<f32>();
var sum_high = vec4<f32>();
for (var j = lid; j < P.p1; j += 128u) {
var delta_low = vec4<f32>();
var delta_high = vec4<f32>();
for (var q = 0u; q < P.p2; q++) {
let x = b1[P.p5 + q * P.p1 + j];
delta_low += factor_low[q] * x;
delta_high += factor_high[q] * x;
}
let v_low = vec4<f32>((bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 0u, P.p0 - 1u) * P.p1 + j))) << 16u)), (bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 1u, P.p0 - 1u) * P.p1 + j))) << 16u)), (bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 2u, P.p0 - 1u) * P.p1 + j))) << 16u)), (bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 3u, P.p0 - 1u) * P.p1 + j))) << 16u))) + delta_low;
sum_low += v_low * v_low;
let v_high = vec4<f32>((bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 4u, P.p0 - 1u) * P.p1 + j))) << 16u)), (bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 5u, P.p0 - 1u) * P.p1 + j))) << 16u)), (bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 6u, P.p0 - 1u) * P.p1 + j))) << 16u)), (bitcast<f32>((bitcast<i32>(bits_b0(P.p4 + min(row0 + 7u, P.p0 - 1u) * P.p1 + j))) << 16u))) + delta_high;
sum_high += v_high * v_high;
}
sums_low[lid] = sum_low;
sums_high[lid] = sum_high;
workgroupBarrier();
for (var s = 64u; s > 0u; s >>= 1u) {
if (lid < s) { sums_low[lid] += sums_low[lid + s]; sums_high[lid] += sums_high[lid + s]; }
workgroupBarrier();
}
if (lid < 8u && row0 + lid < P.p0) {
var square = sums_low[0][lid % 4u];
if (lid >= 4u) { square = sums_high[0][lid % 4u]; }
b3[P.p7 + row0 + lid] = sqrt(square);
}
}
