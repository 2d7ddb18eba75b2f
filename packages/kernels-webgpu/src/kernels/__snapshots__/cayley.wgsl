// cayley 32
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: f32, p5: f32, p6: f32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;
var<workgroup> block: array<f32, 1024>;
var<workgroup> column: array<f32, 32>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p0) { return; }
let base = group * P.p1 * P.p1;
for (var e = lid; e < P.p1 * P.p1; e += 256u) {
let i = e / P.p1;
let j = e % P.p1;
block[e] = b0[P.p2 + base + e] + select(0.0, P.p4, i == j);
}
workgroupBarrier();
for (var k = 0u; k < P.p1; k++) {
let pivot = block[k * P.p1 + k];
for (var i = lid; i < P.p1; i += 256u) { column[i] = block[i * P.p1 + k]; }
workgroupBarrier();
for (var j = lid; j < P.p1; j += 256u) { block[k * P.p1 + j] = select(block[k * P.p1 + j], 1.0, j == k) / pivot; }
workgroupBarrier();
for (var e = lid; e < P.p1 * P.p1; e += 256u) {
let i = e / P.p1;
let j = e % P.p1;
if (i != k) { block[e] = select(block[e], 0.0, j == k) - column[i] * block[k * P.p1 + j]; }
}
workgroupBarrier();
}
for (var e = lid; e < P.p1 * P.p1; e += 256u) {
let i = e / P.p1;
let j = e % P.p1;
b1[P.p3 + base + e] = (block[e] * P.p5 - select(0.0, P.p6, i == j));
}
}
