// kronLinear
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read_write> b3: array<f32>;
var<workgroup> sums: array<f32, 2048>;
var<workgroup> z: array<f32, 1920>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p8) { return; }
let row = group / P.p9;
let col0 = (group % P.p10) * 16u;
let lane = lid % 16u;
let column = lid / 16u;
let at_b = P.p6 + min(col0 + column, P.p2 - 1u) * P.p3;
for (var q0 = 0u; q0 < P.p1; q0 += 8u) {
var acc0 = 0.0;
let at0 = P.p4 + (row * P.p1 + min(q0 + 0u, P.p1 - 1u)) * P.p3;
var acc1 = 0.0;
let at1 = P.p4 + (row * P.p1 + min(q0 + 1u, P.p1 - 1u)) * P.p3;
var acc2 = 0.0;
let at2 = P.p4 + (row * P.p1 + min(q0 + 2u, P.p1 - 1u)) * P.p3;
var acc3 = 0.0;
let at3 = P.p4 + (row * P.p1 + min(q0 + 3u, P.p1 - 1u)) * P.p3;
var acc4 = 0.0;
let at4 = P.p4 + (row * P.p1 + min(q0 + 4u, P.p1 - 1u)) * P.p3;
var acc5 = 0.0;
let at5 = P.p4 + (row * P.p1 + min(q0 + 5u, P.p1 - 1u)) * P.p3;
var acc6 = 0.0;
let at6 = P.p4 + (row * P.p1 + min(q0 + 6u, P.p1 - 1u)) * P.p3;
var acc7 = 0.0;
let at7 = P.p4 + (row * P.p1 + min(q0 + 7u, P.p1 - 1u)) * P.p3;
for (var k = lane; k < P.p3; k += 16u) {
let v = b2[at_b + k];
acc0 += v * b0[at0 + k];
acc1 += v * b0[at1 + k];
acc2 += v * b0[at2 + k];
acc3 += v * b0[at3 + k];
acc4 += v * b0[at4 + k];
acc5 += v * b0[at5 + k];
acc6 += v * b0[at6 + k];
acc7 += v * b0[at7 + k];
}
sums[0u + lid] = acc0;
sums[256u + lid] = acc1;
sums[512u + lid] = acc2;
sums[768u + lid] = acc3;
sums[1024u + lid] = acc4;
sums[1280u + lid] = acc5;
sums[1536u + lid] = acc6;
sums[1792u + lid] = acc7;
workgroupBarrier();
for (var e = lid; e < 128u; e += 256u) {
var sum = 0.0;
for (var l = 0u; l < 16u; l++) { sum += sums[e * 16u + l]; }
let i = q0 + e / 16u;
if (i < P.p1) { z[i * 16u + e % 16u] = sum; }
}
workgroupBarrier();
}
for (var e = lid; e < P.p0 * 16u; e += 256u) {
let o = e / 16u;
let c = e % 16u;
var sum = 0.0;
for (var i = 0u; i < P.p1; i++) { sum += b1[P.p5 + o * P.p1 + i] * z[i * 16u + c]; }
if (col0 + c < P.p2) { b3[P.p7 + (row * P.p0 + o) * P.p2 + col0 + c] = sum; }
}
}
