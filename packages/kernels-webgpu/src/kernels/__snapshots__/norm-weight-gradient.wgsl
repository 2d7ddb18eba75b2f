// normWeightGradient
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read_write> b2: array<f32>;
@group(0) @binding(4) var<storage, read_write> b3: array<f32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;
@group(0) @binding(6) var<storage, read_write> b5: array<f32>;
var<workgroup> all_sum0: array<f32, 256>;
var<workgroup> all_sum1: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
let cut = group % P.p2;
let col = (group / P.p2) * 32u + lid % 32u;
var sum0 = 0.0;
var sum1 = 0.0;
if (col < P.p0) {
let end = min(P.p1, (cut + 1u) * P.p3);
for (var b = cut * P.p3 + lid / 32u; b < end; b += 256u) {
var block_sum0 = 0.0;
var block_sum1 = 0.0;
for (var m = b; m < min(end, b + 256u); m += 8u) {
let d = b0[P.p5 + m * P.p4 + col];
block_sum0 += d * (b1[P.p6 + m * P.p4 + col] - b2[P.p7 + m]) * b3[P.p8 + m];
block_sum1 += d;
}
sum0 += block_sum0;
sum1 += block_sum1;
}
}
all_sum0[lid] = sum0;
all_sum1[lid] = sum1;
workgroupBarrier();
if (lid >= 32u || col >= P.p0) { return; }
for (var l = 1u; l < 8u; l++) {
sum0 += all_sum0[lid + l * 32u];
sum1 += all_sum1[lid + l * 32u];
}
b4[P.p9 + cut * P.p0 + col] = sum0;
b5[P.p10 + cut * P.p0 + col] = sum1;
}
