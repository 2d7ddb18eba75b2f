// topK
struct Params { p0: u32, p1: u32, p2: f32, p3: u32, p4: u32, p5: u32, p6: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;
@group(0) @binding(3) var<storage, read_write> b2: array<i32>;
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
var<workgroup> keys: array<f32, 256>;
var<workgroup> places: array<u32, 256>;
fn before(a: f32, i: u32, b: f32, j: u32) -> bool {
return i != 0xffffffffu && (j == 0xffffffffu || a > b || (a == b && i < j));
}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p3) { return; }
let start = P.p4 + group * P.p0;
var last_key = f32();
var last = 0xffffffffu;
for (var k = 0u; k < P.p1; k++) {
var top = f32();
var at = 0xffffffffu;
for (var i = lid; i < P.p0; i += 256u) {
let raw = b0[start + i];
let v = select(raw, P.p2, w_isnan(raw));
if ((last == 0xffffffffu || before(last_key, last, v, i)) && before(v, i, top, at)) { top = v; at = i; }
}
keys[lid] = top;
places[lid] = at;
workgroupBarrier();
for (var s = 128u; s > 0u; s >>= 1u) {
if (lid < s && before(keys[lid + s], places[lid + s], keys[lid], places[lid])) { keys[lid] = keys[lid + s]; places[lid] = places[lid + s]; }
workgroupBarrier();
}
last_key = keys[0];
last = places[0];
if (lid == 0u) {
b1[P.p5 + group * P.p1 + k] = b0[start + last];
b2[P.p6 + group * P.p1 + k] = i32(last);
}
workgroupBarrier();
}
}
