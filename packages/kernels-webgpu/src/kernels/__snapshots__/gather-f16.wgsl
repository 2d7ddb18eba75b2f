// gather
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<u32>;
fn bits_b0(i: u32) -> u32 { return (b0[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
@group(0) @binding(2) var<storage, read> b1: array<i32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;
fn word_b2(w: u32, v: u32, mask: u32) {
  if (mask == 0xffffffffu) { b2[w] = v; } else if (mask != 0u) { b2[w] = (b2[w] & ~mask) | v; }
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
if (tid * 2u >= P.p5 + P.p6) { return; }
var word0 = 0u;
var mask0 = 0u;
for (var l = 0u; l < 2u; l++) {
let i = tid * 2u + l - P.p6;
if (i < P.p5) {
let k = i % P.p1;
let line = i / P.p1;
let pick = u32(b1[P.p7 + line % P.p0]) - P.p3;
var bits = 0u;
if (pick < P.p2) { bits = bits_b0(P.p8 + ((line / P.p0) * P.p2 + pick) * P.p1 + k); }
{
word0 |= (bits) << ((l % 2u) * 16u);
mask0 |= 0xffffu << ((l % 2u) * 16u);
}
}
if (l % 2u == 1u) { word_b2((P.p4 + i) / 2u, word0, mask0); word0 = 0u; mask0 = 0u; }
}
}
