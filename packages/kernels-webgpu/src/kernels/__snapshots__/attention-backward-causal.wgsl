// attentionBackward key 32x8
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: f32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32, p15: u32, p16: u32, p17: u32, p18: u32, p19: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read> b3: array<f32>;
@group(0) @binding(5) var<storage, read> b4: array<f32>;
@group(0) @binding(6) var<storage, read_write> b5: array<f32>;
@group(0) @binding(7) var<storage, read_write> b6: array<f32>;
fn load_k(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b1[at + 0u];
v[1] = b1[at + 1u];
v[2] = b1[at + 2u];
v[3] = b1[at + 3u];
return v;
}
fn load_v(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b2[at + 0u];
v[1] = b2[at + 1u];
v[2] = b2[at + 2u];
v[3] = b2[at + 3u];
return v;
}
fn load_q(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b3[at + 0u];
v[1] = b3[at + 1u];
v[2] = b3[at + 2u];
v[3] = b3[at + 3u];
return v;
}
fn load_dy(at: u32, left: u32) -> vec4<f32> {
var v = vec4<f32>();
v[0] = b4[at + 0u];
v[1] = b4[at + 1u];
v[2] = b4[at + 2u];
v[3] = b4[at + 3u];
return v;
}
var<workgroup> own_k: array<vec4<f32>, 96>;
var<workgroup> own_v: array<vec4<f32>, 96>;
var<workgroup> pass_q: array<vec4<f32>, 24>;
var<workgroup> pass_dy: array<vec4<f32>, 24>;
var<workgroup> slopes: array<f32, 288>;
var<workgroup> weights: array<f32, 288>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p7) { return; }
let slab = group / P.p1;
let row0 = (group % P.p1) * 32u;
let mine = lid / 8u;
let lane = lid % 8u;
let row = row0 + mine;
for (var s = lid; s < 64u; s += 256u) {
let j = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (row0 + j < P.p4) { x = load_k(P.p9 + (slab * P.p4 + row0 + j) * P.p8 + c * 4u, P.p8 - c * 4u); }
own_k[j * 3u + c] = x;
}
for (var s = lid; s < 64u; s += 256u) {
let j = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (row0 + j < P.p4) { x = load_v(P.p11 + (slab * P.p4 + row0 + j) * P.p10 + c * 4u, P.p10 - c * 4u); }
own_v[j * 3u + c] = x;
}
var acc0_0 = vec4<f32>();
var acc1_0 = vec4<f32>();
let end = P.p0;
for (var p0 = 0u; p0 < end; p0 += 8u) {
let last_pass = min(p0 + 7u, P.p0 - 1u);
let latest = select(P.p3 - 1u, last_pass % P.p3, last_pass / P.p3 == p0 / P.p3);
if (row0 + P.p3 > latest + P.p4) { continue; }
for (var s = lid; s < 16u; s += 256u) {
let j = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (p0 + j < P.p0) { x = load_q(P.p13 + (slab * P.p0 + p0 + j) * P.p12 + c * 4u, P.p12 - c * 4u); }
pass_q[j * 3u + c] = x;
}
for (var s = lid; s < 16u; s += 256u) {
let j = s / 2u; let c = s % 2u;
var x = vec4<f32>();
if (p0 + j < P.p0) { x = load_dy(P.p15 + (slab * P.p0 + p0 + j) * P.p14 + c * 4u, P.p14 - c * 4u); }
pass_dy[j * 3u + c] = x;
}
workgroupBarrier();
var score = 0.0;
for (var c = 0u; c < 2u; c++) { score += dot(own_k[mine * 3u + c], pass_q[lane * 3u + c]); }
var dweight = 0.0;
for (var c = 0u; c < 2u; c++) { dweight += dot(own_v[mine * 3u + c], pass_dy[lane * 3u + c]); }
let exists = row < P.p4 && p0 + lane < P.p0;
let at = slab * P.p0 + select(0u, (p0 + lane), exists);
let t = (p0 + lane) % P.p3;
var seen = exists;
if (exists) { seen = !(row + P.p3 > t + P.p4); }
// The forward pass stores the scores in the dtype of q and k.
let weight = select(0.0, exp(score * P.p6 - b0[at]), seen);
slopes[mine * 9u + lane] = weight * (dweight - b0[P.p2 + at]) * P.p6;
weights[mine * 9u + lane] = weight;
workgroupBarrier();
for (var j = 0u; j < 8u; j++) {
let slope_j = slopes[mine * 9u + j];
let weight_j = weights[mine * 9u + j];
acc0_0 += slope_j * pass_q[j * 3u + min(lane + 0u, 1u)];
acc1_0 += weight_j * pass_dy[j * 3u + min(lane + 0u, 1u)];
}
workgroupBarrier();
}
if (row >= P.p4) { return; }
{ let col = (lane + 0u) * 4u;
let at = P.p17 + (slab * P.p4 + row) * P.p16 + col;
if (col + 0u < P.p16) { b5[at + 0u] = acc0_0[0]; }
if (col + 1u < P.p16) { b5[at + 1u] = acc0_0[1]; }
if (col + 2u < P.p16) { b5[at + 2u] = acc0_0[2]; }
if (col + 3u < P.p16) { b5[at + 3u] = acc0_0[3]; }
}
{ let col = (lane + 0u) * 4u;
let at = P.p19 + (slab * P.p4 + row) * P.p18 + col;
if (col + 0u < P.p18) { b6[at + 0u] = acc1_0[0]; }
if (col + 1u < P.p18) { b6[at + 1u] = acc1_0[1]; }
if (col + 2u < P.p18) { b6[at + 2u] = acc1_0[2]; }
if (col + 3u < P.p18) { b6[at + 3u] = acc1_0[3]; }
}
}
