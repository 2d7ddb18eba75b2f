// rows(sum sqrt)
struct Params { p0: u32, p1: u32, p2: u32, p3: f32, p4: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
let unit = tid;
if (unit >= P.p1) { return; }
let row = unit;
let o0 = P.p2;
var s1 = P.p3;
for (var j = 0u; j < P.p0; j += 1u) {
let v0 = b0[o0 + j];
s1 = s1 + v0;
}
let v1 = s1;
let v2 = sqrt(v1);
{
b1[P.p4 + unit] = v2;
}
}
