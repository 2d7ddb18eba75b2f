// matmul vector
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32 }
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
return (unpack2x16float(bitcast<u32>(bits_b1(base + r * 1u + k * P.p4))).x);
}
var<workgroup> sums: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p11) { return; }
let batch = group / P.p12;
let lk = lid / 32u;
let ln = lid % 32u;
let col = (group % P.p13) * 32u + ln;
let base_load_a0 = P.p3;
let base_load_b0 = P.p5;
var acc = f32();
for (var k = lk; k < P.p6; k += 8u) { acc += f32(load_a0(base_load_a0, 0u, k, P.p6)) * load_b0(base_load_b0, col, k, P.p6); }
sums[lid] = acc;
workgroupBarrier();
for (var s = 4u; s > 0u; s >>= 1u) {
if (lk < s) { sums[lid] += sums[lid + s * 32u]; }
workgroupBarrier();
}
if (lk == 0u && col < P.p8) {
let v = sums[lid];
b2[P.p10 + (batch * P.p7 + 0u) * P.p9 + col] = v;
}
}
